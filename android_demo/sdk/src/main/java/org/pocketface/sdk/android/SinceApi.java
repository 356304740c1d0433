package org.pocketface.sdk.android;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Marks a method that calls what is only there from an API level on, later than minSdk, and is itself called behind a check of {@code
 * Build.VERSION.SDK_INT}. The build's check against API 26 passes over it.
 */
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.METHOD)
@interface SinceApi {
  /** The API level. */
  int value();
}
