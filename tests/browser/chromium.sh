#!/bin/sh
# Chromium, without two pages of its own that it loads below the address bar of every window, seen or not: they cost more
# than the page of a test. Only the last --disable-features counts, so what others name there is named again.
features=WebUIOmniboxPopup,WebUIOmniboxAimPopup
for argument do
    case $argument in --disable-features=*) features=$features,${argument#*=} ;; esac
done
exec chromium "$@" --disable-features="$features"
