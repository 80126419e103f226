<?php
/**
 * The settings page, by WordPress' own Settings API: it brings the nonce, and asks whether the user may.
 *
 * @package Personalize
 */

namespace Personalize;

defined( 'ABSPATH' ) || exit;

const PAGE       = 'personalize';
const CAPABILITY = 'manage_options';

/** Put the page below Settings. */
function add_settings_page(): void {
	$title = __( 'Personalize', 'personalize' );
	add_options_page( $title, $title, CAPABILITY, PAGE, __NAMESPACE__ . '\render_settings_page' );
}

/**
 * Lead from the list of plugins to the page.
 *
 * @param array $links What is there already.
 */
function settings_link( $links ): array {
	$url = esc_url( admin_url( 'options-general.php?page=' . PAGE ) );
	return array_merge( array( "<a href=\"$url\">" . esc_html__( 'Settings', 'personalize' ) . '</a>' ), (array) $links );
}

/** Say what the page asks for. */
function add_settings_fields(): void {
	foreach ( settings_sections() as $section => list( $heading, $fields ) ) {
		add_settings_section( $section, $heading, '__return_null', PAGE );
		foreach ( $fields as $name => $field ) {
			$field += array(
				'name'      => $name,
				'type'      => 'text',
				'label_for' => 'personalize-' . $name,
			);
			$render = __NAMESPACE__ . '\render_' . $field['type'];
			add_settings_field( $field['label_for'], $field['label'], $render, PAGE, $section, $field );
		}
	}
}

/** Return the page's sections: heading, and fields by name. */
function settings_sections(): array {
	return array(
		'script'   => array( __( 'The service', 'personalize' ), service_fields() ),
		'identity' => array( __( 'Users who are logged in', 'personalize' ), identity_fields() ),
	);
}

/** Return the fields about the service and its script. */
function service_fields(): array {
	return array(
		'service'   => array(
			'label'       => __( 'URL', 'personalize' ),
			'description' => __( 'Where browsers find the service, like https://personalize.example.com. Empty: visitors see the fallbacks.', 'personalize' ),
		),
		'version'   => array(
			'label'       => __( 'Version of the script', 'personalize' ),
			'description' => __( 'Needed with a hash: the bytes of one version never change. Empty: whichever the service has.', 'personalize' ),
		),
		'integrity' => array(
			'label'       => __( 'Hash of the script (SRI)', 'personalize' ),
			'description' => __( 'Browsers run the script only if its bytes have this hash: sha384-….', 'personalize' ),
		),
		'consent'   => array(
			'label'       => __( 'Consent', 'personalize' ),
			'type'        => 'checkbox',
			'description' => __( 'Read and send nothing before personalize.consent() was called in the page', 'personalize' ),
		),
	);
}

/** Return the fields about identity tokens. */
function identity_fields(): array {
	return array(
		'kid'        => array(
			'label'       => __( 'Name of the key (kid)', 'personalize' ),
			'description' => __( 'What stands before the colon in the service’s IDENTITY_KEYS.', 'personalize' ),
		),
		'secret'     => array(
			'label' => __( 'Secret of the key', 'personalize' ),
			'type'  => 'secret',
		),
		'audience'   => array(
			'label'       => __( 'Audience', 'personalize' ),
			'description' => __( 'The service’s IDENTITY_AUDIENCE.', 'personalize' ),
		),
		'user_field' => array(
			'label'       => __( 'User id', 'personalize' ),
			'type'        => 'choice',
			'choices'     => array(
				'ID'         => __( 'WordPress’ id', 'personalize' ),
				'user_login' => __( 'User name', 'personalize' ),
				'meta'       => __( 'A user meta field', 'personalize' ),
			),
			'description' => __( 'What analytics.identify() is called with.', 'personalize' ),
		),
		'user_meta'  => array(
			'label'       => __( 'User meta field', 'personalize' ),
			'description' => __( 'Its name, if the user id is in one.', 'personalize' ),
		),
	);
}

/** Print the page. */
function render_settings_page(): void {
	if ( ! current_user_can( CAPABILITY ) ) {
		return;
	}
	echo '<div class="wrap"><h1>' . esc_html( get_admin_page_title() ) . '</h1><form action="options.php" method="post">';
	settings_fields( GROUP );
	do_settings_sections( PAGE );
	submit_button();
	echo '</form></div>';
}

/** Print a field for a line of text. */
function render_text( array $field ): void {
	$input = '<input type="text" class="regular-text code" id="%s" name="%s" value="%s">';
	printf( $input, esc_attr( $field['label_for'] ), esc_attr( form_name( $field ) ), esc_attr( options()[ $field['name'] ] ) ); // phpcs:ignore WordPress.Security.EscapeOutput
	render_description( $field['description'] );
}

/** Print a box to tick. */
function render_checkbox( array $field ): void {
	$ticked = checked( '1', options()[ $field['name'] ], false );
	$input  = '<label><input type="checkbox" id="%s" name="%s" value="1"%s> %s</label>';
	printf( $input, esc_attr( $field['label_for'] ), esc_attr( form_name( $field ) ), $ticked, esc_html( $field['description'] ) ); // phpcs:ignore WordPress.Security.EscapeOutput
}

/** Print a list to choose from. */
function render_choice( array $field ): void {
	printf( '<select id="%s" name="%s">', esc_attr( $field['label_for'] ), esc_attr( form_name( $field ) ) );
	foreach ( $field['choices'] as $value => $label ) {
		$chosen = selected( $value, options()[ $field['name'] ], false );
		printf( '<option value="%s"%s>%s</option>', esc_attr( $value ), $chosen, esc_html( $label ) ); // phpcs:ignore WordPress.Security.EscapeOutput
	}
	echo '</select>';
	render_description( $field['description'] );
}

/** Print a field for the secret, which never shows the one that there is. */
function render_secret( array $field ): void {
	if ( secret_is_configured() ) {
		render_description( secret_state() );
		return;
	}
	$name  = esc_attr( SECRET_OPTION );
	$input = '<input type="password" class="regular-text" autocomplete="new-password" id="%s" name="%s[value]" value="">';
	printf( $input, esc_attr( $field['label_for'] ), $name ); // phpcs:ignore WordPress.Security.EscapeOutput
	render_description( secret_state() );
	if ( '' !== identity_secret() ) {
		$input = '<label><input type="checkbox" name="%s[forget]" value="1"> %s</label>';
		printf( $input, $name, esc_html__( 'Forget it', 'personalize' ) ); // phpcs:ignore WordPress.Security.EscapeOutput
	}
}

/** Return where the secret is, if there is one, and where it had better be. */
function secret_state(): string {
	if ( secret_is_configured() ) {
		return '' === identity_secret()
			? __( 'PERSONALIZE_IDENTITY_SECRET in wp-config.php is too short, or has a comma: there are no tokens.', 'personalize' )
			: __( 'It is PERSONALIZE_IDENTITY_SECRET in wp-config.php.', 'personalize' );
	}
	return '' === identity_secret()
		? __( 'There is none, and so there are no tokens. Better than here it is in wp-config.php: define( \'PERSONALIZE_IDENTITY_SECRET\', \'…\' );', 'personalize' )
		: __( 'There is one, in the database, which is never shown; empty keeps it. Better it is in wp-config.php, as PERSONALIZE_IDENTITY_SECRET.', 'personalize' );
}

/** Return the name that a field has in the form. */
function form_name( array $field ): string {
	return OPTION . '[' . $field['name'] . ']';
}

/** Print what a field is for. */
function render_description( string $description ): void {
	echo '<p class="description">' . esc_html( $description ) . '</p>';
}
