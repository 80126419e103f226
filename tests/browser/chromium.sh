#!/bin/sh
# Chromium, without two pages of its own that it loads below the address bar of every window, seen or not: they cost more
# than the page of a test. Only the last --disable-features counts, and Playwright has one, which stays.
for argument do
    shift
    case $argument in --disable-features=*) argument=$argument,WebUIOmniboxPopup,WebUIOmniboxAimPopup ;; esac
    set -- "$@" "$argument"
done
exec chromium "$@"
