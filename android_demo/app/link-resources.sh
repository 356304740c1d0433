#!/bin/sh
# Compiles and links the app's resources with the aapt2 that Maven unpacked: TARGET/resources/resources.apk (the binary manifest, res/,
# resources.arsc; no code, no assets), TARGET/generated-sources/r (R.java), and for tests TARGET/resources/test.apk: the same with the files in
# ASSETS, where that is given.
# Usage: link-resources.sh TARGET [ASSETS]
set -eu
app=$(cd "$(dirname "$0")" && pwd)
target=$1
prebuilt=$target/aapt2/prebuilt
mkdir -p "$target/resources" "$target/generated-sources/r"
chmod +x "$prebuilt/linux/aapt2"
"$prebuilt/linux/aapt2" compile --dir "$app/src/main/res" -o "$target/resources/compiled.zip"
link() {
  "$prebuilt/linux/aapt2" link -I "$prebuilt/android-framework.jar" --manifest "$app/src/main/AndroidManifest.xml" \
    "$@" "$target/resources/compiled.zip"
}
link --java "$target/generated-sources/r" -o "$target/resources/resources.apk"
if [ -n "${2:-}" ]; then
  # Stored as it is, since the app maps it.
  link -A "$2" -0 pface -o "$target/resources/test.apk"
else
  cp "$target/resources/resources.apk" "$target/resources/test.apk"
fi
