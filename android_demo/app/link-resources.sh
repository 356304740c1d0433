#!/bin/sh
# Compiles and links the app's resources with the aapt2 that Maven unpacked: TARGET/resources/resources.apk (the binary manifest, res/,
# resources.arsc; no code, no assets) and TARGET/generated-sources/r (R.java).
# Usage: link-resources.sh TARGET
set -eu
app=$(cd "$(dirname "$0")" && pwd)
target=$1
prebuilt=$target/aapt2/prebuilt
mkdir -p "$target/resources" "$target/generated-sources/r"
chmod +x "$prebuilt/linux/aapt2"
"$prebuilt/linux/aapt2" compile --dir "$app/src/main/res" -o "$target/resources/compiled.zip"
"$prebuilt/linux/aapt2" link -I "$prebuilt/android-framework.jar" --manifest "$app/src/main/AndroidManifest.xml" \
  --java "$target/generated-sources/r" -o "$target/resources/resources.apk" "$target/resources/compiled.zip"
