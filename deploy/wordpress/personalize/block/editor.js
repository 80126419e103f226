// The block in the editor: which recipe, and the blocks that stand there until it has answered. PHP renders it in pages.
( function ( wp ) {
	'use strict';

	const { blockEditor, blocks, components, element, i18n } = wp;
	const { InnerBlocks, InspectorControls, useBlockProps } = blockEditor;
	const { PanelBody, RangeControl, TextControl, ToggleControl } = components;
	const { createElement } = element;
	const { __ } = i18n;

	const control = ( type, { attributes, setAttributes }, name, label, more ) =>
		createElement( type, {
			key: name,
			label,
			[ type === ToggleControl ? 'checked' : 'value' ]: attributes[ name ],
			onChange: ( value ) => setAttributes( { [ name ]: value } ),
			...more,
		} );

	const settings = ( props ) => [
		control( TextControl, props, 'recipe', __( 'Recipe', 'personalize' ) ),
		control( RangeControl, props, 'limit', __( 'Items at most', 'personalize' ), {
			min: 0,
			max: 20,
			help: __( '0 where the recipe knows no limit.', 'personalize' ),
		} ),
		control( ToggleControl, props, 'excludeCurrent', __( 'Leave out the post that is being read', 'personalize' ) ),
		control( ToggleControl, props, 'track', __( 'Send views and clicks to analytics', 'personalize' ) ),
	];

	blocks.registerBlockType( 'personalize/content', {
		edit: ( props ) =>
			createElement(
				'div',
				useBlockProps(),
				createElement(
					InspectorControls,
					null,
					createElement( PanelBody, { title: __( 'Personalized content', 'personalize' ) }, settings( props ) )
				),
				createElement( InnerBlocks, { template: [ [ 'core/paragraph', { placeholder: __( 'What everybody sees until then', 'personalize' ) } ] ] } )
			),
		save: () => createElement( InnerBlocks.Content ),
	} );
} )( window.wp );
