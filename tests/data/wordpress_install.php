<?php
// Installs the WordPress of this folder with 105 posts, five of them in a category whose slug does not follow from its
// name, and one with a picture. Called with the permalink structure, which is empty for plain permalinks, and the
// password of `admin`.
function wp_new_blog_notification(...$anything) {}  // there is no mail here

define('WP_INSTALLING', true);
require __DIR__ . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Field Notes', 'admin', 'admin@example.com', true, '', $argv[2]);
switch_theme('bare');
$GLOBALS['wp_rewrite']->init();
$GLOBALS['wp_rewrite']->set_permalink_structure($argv[1]);

$category = wp_insert_term('Data &amp; Analytics', 'category', ['slug' => 'figures'])['term_id'];
for ($number = 1; $number <= 104; $number++) {
    $last = wp_insert_post([
        'post_title' => "Größe & <em>Maß</em> $number",
        'post_content' => "<p>Body of note $number.</p>",
        'post_status' => 'publish',
        'post_date_gmt' => sprintf('2026-01-01 %02d:%02d:00', intdiv($number, 60), $number % 60),
        'post_category' => $number > 99 ? [$category] : [1],
    ], true);
}
$picture = wp_insert_attachment(['post_title' => 'A picture', 'post_mime_type' => 'image/png'], 'a.png', $last);
set_post_thumbnail($last, $picture);
flush_rewrite_rules();
