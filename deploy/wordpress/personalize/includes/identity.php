<?php
/**
 * Who the visitor is, proved to the service: a JSON Web Token (RFC 7519) in the page of a user who is logged in.
 *
 * A token in a page is a token in whatever keeps that page. So it is printed only in answers that first said, in their
 * headers and to caching plugins, that nobody may keep them; where the headers had gone out already, there is no token.
 *
 * @package Personalize
 */

namespace Personalize;

defined( 'ABSPATH' ) || exit;

const TOKEN_SECONDS = 900; // The service takes an hour at most; a page asks when it is shown.
const TOKEN_META    = 'personalize-token';

/** Return the secret of the identity key: from wp-config.php, else from the settings, else none. */
function identity_secret(): string {
	$secret = secret_is_configured() ? constant( 'PERSONALIZE_IDENTITY_SECRET' ) : get_option( SECRET_OPTION, '' );
	return is_string( $secret ) && is_secret( $secret ) ? $secret : '';
}

/** Whether wp-config.php has the last word on the secret. */
function secret_is_configured(): bool {
	return defined( 'PERSONALIZE_IDENTITY_SECRET' );
}

/** Return the id by which Segment knows a user; empty if there is none that the service would take. */
function segment_user_id( \WP_User $user ): string {
	$options = options();
	$field   = $options['user_field'];
	$id      = 'meta' === $field ? get_user_meta( $user->ID, $options['user_meta'], true ) : $user->get( $field );
	/**
	 * Filters the user id that an identity token names: the one that analytics.identify() is called with.
	 *
	 * @param string   $id   The id, by the settings.
	 * @param \WP_User $user The user who is logged in.
	 */
	$id = apply_filters( 'personalize_user_id', is_scalar( $id ) ? (string) $id : '', $user );
	return is_string( $id ) && preg_match( '/^[^\p{Cc}]{1,255}$/Du', $id ) ? $id : '';
}

/** Return a token that proves a user to be who they are, or nothing where that cannot be. */
function identity_token( \WP_User $user, int $now ): string {
	$options = options();
	$secret  = identity_secret();
	$id      = $user->exists() ? segment_user_id( $user ) : '';
	if ( '' === $secret || '' === $id ) {
		return '';
	}
	$claims = array(
		'sub' => 'user_id:' . $id,
		'aud' => $options['audience'],
		'exp' => $now + TOKEN_SECONDS,
	);
	return signed( $claims, $options['kid'], $secret );
}

/** Return claims as a token that is signed with HS256 (RFC 7515, 3.1). */
function signed( array $claims, string $kid, string $secret ): string {
	$header = array(
		'alg' => 'HS256',
		'typ' => 'JWT',
		'kid' => $kid,
	);
	$parts  = base64url( (string) wp_json_encode( $header ) ) . '.' . base64url( (string) wp_json_encode( $claims ) );
	return $parts . '.' . base64url( hash_hmac( 'sha256', $parts, $secret, true ) );
}

/** Return base64url without padding (RFC 7515, 2). */
function base64url( string $bytes ): string {
	return rtrim( strtr( base64_encode( $bytes ), '+/', '-_' ), '=' ); // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions
}

/** Mint the token of this page, and forbid everybody to keep the page. */
function keep_page_private(): void {
	if ( ! is_user_logged_in() || '' === script_url() || is_feed() || is_robots() || is_embed() || headers_sent() ) {
		return;
	}
	$token = identity_token( wp_get_current_user(), time() );
	if ( '' === $token ) {
		return;
	}
	nocache_headers();
	header( 'Cache-Control: private, no-store, max-age=0' );
	header( 'CDN-Cache-Control: no-store' );
	// What caching plugins have agreed on, for those that look at no header.
	defined( 'DONOTCACHEPAGE' ) || define( 'DONOTCACHEPAGE', true );
	page_token( $token );
}

/** Return the token of this page, having noted it where one is given. */
function page_token( ?string $minted = null ): string {
	static $token = '';
	$token        = $minted ?? $token;
	return $token;
}

/** Print the token where the script looks for it. */
function print_identity_token(): void {
	if ( '' !== page_token() ) {
		printf( '<meta name="%s" content="%s">' . "\n", esc_attr( TOKEN_META ), esc_attr( page_token() ) );
	}
}
