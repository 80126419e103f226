<?php
/**
 * The service's script: loaded where there is something to fill, and only if its bytes are the expected ones.
 *
 * @package Personalize
 */

namespace Personalize;

defined( 'ABSPATH' ) || exit;

const SCRIPT = 'personalize';

/** Return where the script is: of one version for ever, or whichever the service has; empty without a service. */
function script_url(): string {
	$options = options();
	if ( ! is_origin( $options['service'] ) ) {
		return '';
	}
	$folder = '' === $options['version'] ? '' : '/v' . rawurlencode( $options['version'] );
	return $options['service'] . $folder . '/personalize.js';
}

/** Name the script; a version in its query would be another URL than the one that the hash is of. */
function register_script(): void {
	if ( '' !== script_url() ) {
		wp_register_script( SCRIPT, esc_url_raw( script_url(), array( 'http', 'https' ) ), array(), null, false ); // phpcs:ignore WordPress.WP.EnqueuedResourceParameters
	}
}

/**
 * Return the script's tag with what WordPress has no words for: `async`, the hash, and whether consent is asked for.
 *
 * @param string $tag    Its tag as WordPress writes it, with what others have put before and after it.
 * @param string $handle Whose tag it is.
 */
function script_tag( $tag, $handle ): string {
	if ( SCRIPT !== $handle ) {
		return (string) $tag;
	}
	return (string) preg_replace_callback(
		'/<script\b(?=[^>]*\ssrc=)/',
		static fn () => '<script' . script_attributes(),
		(string) $tag,
		1
	);
}

/** Return the attributes that the script's tag has beside its URL. */
function script_attributes(): string {
	$options    = options();
	$attributes = ' async';
	if ( '' !== $options['integrity'] ) {
		$attributes .= ' integrity="' . esc_attr( $options['integrity'] ) . '"';
	}
	$attributes .= ' crossorigin="anonymous"';
	return $attributes . ( '' === $options['consent'] ? '' : ' data-consent' );
}
