package org.pocketface.sdk.liveness;

import org.jetbrains.annotations.NotNull;

/**
 * Says whether a face is that of somebody who is there, not of a photograph, a screen or a mask: presentation attack detection
 * (ISO/IEC 30107-1).
 *
 * <p><b>PocketFace includes no such check.</b> This is where the maker of an app brings one; {@link
 * org.pocketface.sdk.gallery.Matcher} asks it before a match counts. An app that unlocks anything by a face needs one.
 *
 * @param <C> what the check looks at, such as the last frames of the camera with the face found in each
 */
public interface LivenessCheck<C> {
  /**
   * Judges {@code capture}, which must be of the same face as the embedding that is matched. What it throws reaches the caller of the
   * match, and there is no match.
   */
  @NotNull
  Verdict check(@NotNull C capture);
}
