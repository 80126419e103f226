<?php
/**
 * Plugin Name:       Personalize
 * Description:       Shows each visitor what a Personalize service recommends: as a block, or as a shortcode.
 * Version:           0.1.0
 * Requires at least: 6.1
 * Requires PHP:      7.4
 * License:           MIT
 * Text Domain:       personalize
 *
 * @package Personalize
 */

namespace Personalize;

defined( 'ABSPATH' ) || exit;

require __DIR__ . '/includes/options.php';
require __DIR__ . '/includes/identity.php';
require __DIR__ . '/includes/script.php';
require __DIR__ . '/includes/template.php';
require __DIR__ . '/includes/content.php';
require __DIR__ . '/includes/settings-page.php';

register_activation_hook( __FILE__, __NAMESPACE__ . '\keep_secret_apart' );
add_action( 'init', __NAMESPACE__ . '\load_translations' );
add_action( 'init', __NAMESPACE__ . '\register_options' );
add_action( 'init', __NAMESPACE__ . '\register_content' );
add_action( 'wp_enqueue_scripts', __NAMESPACE__ . '\register_script' );
add_filter( 'script_loader_tag', __NAMESPACE__ . '\script_tag', 10, 2 );
add_action( 'template_redirect', __NAMESPACE__ . '\keep_page_private' );
add_action( 'wp_head', __NAMESPACE__ . '\print_identity_token' );
add_action( 'admin_menu', __NAMESPACE__ . '\add_settings_page' );
add_action( 'admin_init', __NAMESPACE__ . '\add_settings_fields' );
add_filter( 'plugin_action_links_' . plugin_basename( __FILE__ ), __NAMESPACE__ . '\settings_link' );

/** Load what translators have written. */
function load_translations(): void {
	load_plugin_textdomain( 'personalize', false, dirname( plugin_basename( __FILE__ ) ) . '/languages' );
}
