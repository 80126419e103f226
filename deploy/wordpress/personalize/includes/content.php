<?php
/**
 * The place in a page that becomes personal: a shortcode and a block, which write the same element.
 *
 * @package Personalize
 */

namespace Personalize;

defined( 'ABSPATH' ) || exit;

const SHORTCODE = 'personalized_content';

// What the script takes for the element's own, and nobody may set who only writes a shortcode.
const NOT_PARAMETERS = '/^(recipe|i[ds]|class|style|title|lang|dir|hidden|slot|role|part|tabindex|nonce|inert|popover|translate|draggable|accesskey|spellcheck|on.*|item.*)$/D';

/** Tell WordPress about the shortcode and the block. */
function register_content(): void {
	add_shortcode( SHORTCODE, __NAMESPACE__ . '\render_shortcode' );
	register_block_type( dirname( __DIR__ ) . '/block', array( 'render_callback' => __NAMESPACE__ . '\render_block' ) );
	wp_set_script_translations( 'personalize-content-editor-script', 'personalize' );
}

/**
 * Return `[personalized_content recipe="…" limit="3"]fallback[/personalized_content]` as markup.
 *
 * @param mixed  $given    Its attributes: the recipe, `track`, and the recipe's parameters.
 * @param string $fallback What it encloses.
 */
function render_shortcode( $given, $fallback = '' ): string {
	$given    = is_array( $given ) ? array_filter( $given, 'is_string', ARRAY_FILTER_USE_KEY ) : array();
	$fallback = enclosed( (string) $fallback );
	$recipe   = (string) ( $given['recipe'] ?? '' );
	$track    = in_array( $given['track'] ?? '', array( '1', 'true', 'yes' ), true );
	unset( $given['recipe'], $given['track'] );
	return sprintf( '<div class="personalize-content">%s</div>', element( $recipe, $given, $track, $fallback ) );
}

/** Return what a shortcode encloses: what posts may have, without the halves of paragraphs that wpautop() leaves. */
function enclosed( string $content ): string {
	$whole = preg_replace( '~^\s*(</p>|<br\s*/?>)|<p>\s*$~', '', wp_kses_post( $content ) );
	return do_shortcode( shortcode_unautop( (string) $whole ) );
}

/**
 * Return the block as markup; what it encloses has been rendered by its own blocks.
 *
 * @param array  $given    The block's attributes.
 * @param string $fallback What it encloses.
 */
function render_block( $given, $fallback = '' ): string {
	$parameters = array();
	if ( (int) ( $given['limit'] ?? 0 ) > 0 ) {
		$parameters['limit'] = (string) (int) $given['limit'];
	}
	if ( ! empty( $given['excludeCurrent'] ) ) {
		$parameters['exclude'] = 'current';
	}
	$content = element( (string) ( $given['recipe'] ?? '' ), $parameters, ! empty( $given['track'] ), (string) $fallback );
	return sprintf( '<div %s>%s</div>', get_block_wrapper_attributes(), $content );
}

/** Return the element, and have the script loaded; the fallback alone where nothing could fill it. */
function element( string $recipe, array $parameters, bool $track, string $fallback ): string {
	if ( '' === script_url() || is_feed() || ! preg_match( '/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/D', $recipe ) ) {
		return $fallback;
	}
	wp_enqueue_script( SCRIPT );
	$attributes = sprintf( ' recipe="%s"', esc_attr( $recipe ) );
	foreach ( spoken( $parameters ) as $name => $value ) {
		$attributes .= sprintf( ' %s="%s"', $name, esc_attr( $value ) );
	}
	$attributes .= $track ? ' data-track' : '';
	$template    = template( $recipe );
	return "<personalized-content$attributes><template>$template</template>$fallback</personalized-content>";
}

/** Return the recipe's parameters: names that are no attributes of another meaning, and `current` said as a URL. */
function spoken( array $given ): array {
	$parameters = array();
	foreach ( $given as $name => $value ) {
		if ( preg_match( '/^[a-z][a-z0-9_]*$/D', $name ) && ! preg_match( NOT_PARAMETERS, $name ) ) {
			$parameters[ $name ] = (string) $value;
		}
	}
	if ( 'current' === ( $parameters['exclude'] ?? '' ) ) {
		$parameters['exclude'] = (string) get_permalink();
	}
	return array_filter( $parameters, 'strlen' );
}
