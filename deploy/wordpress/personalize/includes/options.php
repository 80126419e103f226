<?php
/**
 * What the site was told in its settings: read with defaults, and checked before it is kept.
 *
 * The secret of the identity key is an option of its own, so that nothing that reads or prints the others can show it.
 *
 * @package Personalize
 */

namespace Personalize;

defined( 'ABSPATH' ) || exit;

const OPTION        = 'personalize';
const SECRET_OPTION = 'personalize_identity_secret';
const GROUP         = 'personalize';

const SECRET_BYTES = 32; // A key of HS256 is at least as long as its hash (RFC 7518, 3.2).

/** Return what holds until somebody says otherwise. */
function default_options(): array {
	return array(
		'service'    => '',
		'version'    => '',
		'integrity'  => '',
		'consent'    => '',
		'kid'        => 'web',
		'audience'   => 'personalize',
		'user_field' => 'ID',
		'user_meta'  => '',
	);
}

/** Return every option as a string, whatever the database holds. */
function options(): array {
	$kept = get_option( OPTION );
	$kept = is_array( $kept ) ? array_filter( $kept, 'is_string' ) : array();
	return array_merge( default_options(), array_intersect_key( $kept, default_options() ) );
}

/** Tell WordPress which options there are, and who checks them. */
function register_options(): void {
	register_setting( GROUP, OPTION, array( 'sanitize_callback' => __NAMESPACE__ . '\checked_options' ) );
	register_setting( GROUP, SECRET_OPTION, array( 'sanitize_callback' => __NAMESPACE__ . '\checked_secret' ) );
}

/** Make room for the secret: what is loaded with every page would end up in object caches and debugging plugins. */
function keep_secret_apart(): void {
	add_option( SECRET_OPTION, '', '', 'no' );
}

/**
 * Return options that may be kept; a field that is wrong is told about, and stays what it was.
 *
 * @param mixed $given What a form, or another plugin, wants to keep.
 */
function checked_options( $given ): array {
	$given   = is_array( $given ) ? $given : array();
	$checked = options();
	foreach ( array_keys( $checked ) as $name ) {
		$value = isset( $given[ $name ] ) && is_string( $given[ $name ] ) ? trim( $given[ $name ] ) : '';
		$wrong = trouble_with( $name, $value );
		if ( '' === $wrong ) {
			$checked[ $name ] = 'service' === $name ? untrailingslashit( strtolower( $value ) ) : $value;
		} else {
			report( $name, $wrong );
		}
	}
	return $checked;
}

/** Return what is wrong with a field's value, in a sentence for who typed it; nothing if nothing is. */
function trouble_with( string $name, string $value ): string {
	switch ( $name ) {
		case 'service':
			$sound = '' === $value || is_origin( $value );
			$wrong = __( 'Write the service’s URL without a path, like https://personalize.example.com.', 'personalize' );
			break;
		case 'version':
			$sound = (bool) preg_match( '/^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$|^$/D', $value );
			$wrong = __( 'Write the script’s version like 1.2.3.', 'personalize' );
			break;
		case 'integrity':
			$sound = (bool) preg_match( '~^sha(256|384|512)-[A-Za-z0-9+/]{43,86}={0,2}$|^$~D', $value );
			$wrong = __( 'Write the script’s hash like sha384-….', 'personalize' );
			break;
		case 'consent':
			$sound = in_array( $value, array( '', '1' ), true );
			$wrong = __( 'Consent is asked for, or it is not.', 'personalize' );
			break;
		case 'kid':
			$sound = (bool) preg_match( '~^[\w.+/=-]{1,64}$~D', $value );
			$wrong = __( 'Write the key’s name with at most 64 letters and digits.', 'personalize' );
			break;
		case 'audience':
			$sound = (bool) preg_match( '/^[\x21-\x7e]{1,255}$/D', $value );
			$wrong = __( 'Write the audience without blanks, as the service has it.', 'personalize' );
			break;
		case 'user_field':
			$sound = in_array( $value, array( 'ID', 'user_login', 'meta' ), true );
			$wrong = __( 'Choose one of the fields.', 'personalize' );
			break;
		default:
			$sound = (bool) preg_match( '/^[\w-]{0,255}$/D', $value );
			$wrong = __( 'Write the name of a user meta field with letters, digits, hyphens and underscores.', 'personalize' );
	}
	return $sound ? '' : $wrong;
}

/** Whether a text is an origin: scheme, host, perhaps a port, and nothing else. */
function is_origin( string $text ): bool {
	return (bool) preg_match( '~^https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?/?$~Di', $text );
}

/**
 * Return the secret to keep: a new one, the old one where nothing was typed, or none where it is to be forgotten.
 *
 * @param mixed $given The form's `value` and `forget`, or a secret itself, as WordPress may call this twice.
 */
function checked_secret( $given ): string {
	$given = is_array( $given ) ? $given : array( 'value' => $given );
	$typed = isset( $given['value'] ) && is_string( $given['value'] ) ? trim( $given['value'] ) : '';
	$kept  = (string) get_option( SECRET_OPTION, '' );
	if ( ! empty( $given['forget'] ) ) {
		return '';
	}
	if ( '' !== $typed && ! is_secret( $typed ) ) {
		/* translators: %d: number of bytes */
		report( 'secret', sprintf( __( 'Write a secret of %d bytes or more, without commas.', 'personalize' ), SECRET_BYTES ) );
		return $kept;
	}
	return '' === $typed ? $kept : $typed;
}

/** Whether the service would take a text for a secret: it lists its keys with commas between them. */
function is_secret( string $text ): bool {
	return strlen( $text ) >= SECRET_BYTES && ! preg_match( '/[,\x00-\x1f\x7f]/', $text );
}

/** Tell whoever saves the settings what was not kept; elsewhere nobody would read it. */
function report( string $name, string $wrong ): void {
	if ( function_exists( 'add_settings_error' ) ) {
		add_settings_error( OPTION, OPTION . '_' . $name, $wrong );
	}
}
