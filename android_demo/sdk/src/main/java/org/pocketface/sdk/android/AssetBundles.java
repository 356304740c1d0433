package org.pocketface.sdk.android;

import android.content.res.AssetFileDescriptor;
import android.content.res.AssetManager;
import java.io.FileInputStream;
import java.io.IOException;
import org.jetbrains.annotations.NotNull;
import org.pocketface.sdk.Bundle;
import org.pocketface.sdk.BundleException;

/** Opens bundles that lie in an app. */
public final class AssetBundles {
  private AssetBundles() {}

  /**
   * Maps and verifies the asset {@code name}, such as {@code face.pface}, where it lies in the APK, which nobody can change. It must be
   * stored there, not deflated: {@code androidResources { noCompress "pface" }} for Gradle, {@code -0 pface} for aapt2.
   *
   * @throws BundleException what is wrong with it; {@code bundle.read} where it is missing or deflated
   */
  @NotNull
  public static Bundle open(@NotNull AssetManager assets, @NotNull String name) {
    try (AssetFileDescriptor asset = assets.openFd(name);
        FileInputStream stream = new FileInputStream(asset.getFileDescriptor())) {
      return Bundle.map(stream.getChannel(), asset.getStartOffset(), asset.getLength(), name);
    } catch (IOException error) {
      throw new BundleException.Read(
          name + ": expected a bundle among the app's assets, stored uncompressed, got none; build the app again");
    }
  }
}
