/**
 * The place for a liveness check. PocketFace includes none: without one, a printed photograph or a screen held before the camera is
 * matched as the face that it shows.
 */
package org.pocketface.sdk.liveness;
