package org.pocketface.sdk.gallery;

/** What an import does with somebody who is here already: whose id, or else whose name, somebody has. */
public enum Taken {
  /** Nobody at all is taken in. */
  REFUSE,
  /** They stay as they are. */
  SKIP,
  /** Their templates give way to those of the file. */
  REPLACE,
  /** They get the templates that they do not have yet. */
  ADD
}
