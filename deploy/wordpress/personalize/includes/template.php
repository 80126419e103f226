<?php
/**
 * How one item looks: markup that the script copies for each of them, filling in texts and http(s) links.
 *
 * @package Personalize
 */

namespace Personalize;

defined( 'ABSPATH' ) || exit;

const TEMPLATES = array(
	'recommended-posts'         => '<p><a data-field="title" data-href="url"></a></p>',
	'last-viewed-not-purchased' => '<p><a data-field="name" data-href="url"></a></p>',
	'audience-content'          => '<p><a data-field="content.title" data-href="content.url"></a></p>',
);

/** Return a recipe's template, with no more in it than a post may have. */
function template( string $recipe ): string {
	$markup = TEMPLATES[ $recipe ] ?? TEMPLATES['recommended-posts'];
	/**
	 * Filters what one item looks like: `data-field` is filled with text, `data-href` and `data-src` with links.
	 *
	 * @param string $markup The template's content.
	 * @param string $recipe The recipe whose items it shows.
	 */
	return wp_kses( (string) apply_filters( 'personalize_template', $markup, $recipe ), template_markup() );
}

/** Return what a template may have: what posts may have, and the marks of what is filled in. */
function template_markup(): array {
	$marks = array(
		'data-field' => true,
		'data-href'  => true,
		'data-src'   => true,
	);
	return array_map( static fn ( $attributes ) => (array) $attributes + $marks, wp_kses_allowed_html( 'post' ) );
}
