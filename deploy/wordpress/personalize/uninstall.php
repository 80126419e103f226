<?php
/**
 * Leave nothing behind, on any site of a network.
 *
 * @package Personalize
 */

namespace Personalize;

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

/** Forget what this site was told, its secret above all. */
function forget_options(): void {
	delete_option( 'personalize' );
	delete_option( 'personalize_identity_secret' );
}

if ( is_multisite() ) {
	foreach ( get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) as $personalize_site ) {
		switch_to_blog( $personalize_site );
		forget_options();
		restore_current_blog();
	}
} else {
	forget_options();
}
