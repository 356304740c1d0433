/**
 * The gallery of a phone: who is enrolled, kept encrypted in one file, and matching against it. It holds templates, never pictures.
 *
 * <p>docs/gallery-format.md says what every byte of the file means and when each error comes.
 */
package org.pocketface.sdk.gallery;
