package org.pocketface.sdk.gallery;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.jetbrains.annotations.NotNull;

/** Somebody who is enrolled, without the templates themselves. A snapshot: later changes to the gallery do not show in it. */
public final class Person {
  private final String id;
  private final String name;
  private final long created;
  private final Map<String, String> metadata;
  private final List<Template> templates;

  Person(String id, String name, long created, Map<String, String> metadata, List<Template> templates) {
    this.id = id;
    this.name = name;
    this.created = created;
    this.metadata = metadata;
    this.templates = Collections.unmodifiableList(new ArrayList<Template>(templates));
  }

  /** Stays the same for as long as the person is enrolled, whatever the name: a random UUID. */
  @NotNull
  public String id() {
    return id;
  }

  /** The name, in Unicode's normal form C. */
  @NotNull
  public String name() {
    return name;
  }

  /** When the person was enrolled: milliseconds since 1970 UTC. */
  public long created() {
    return created;
  }

  /** The app's own, by name; empty where it gave none. */
  @NotNull
  public Map<String, String> metadata() {
    return metadata;
  }

  /** What is known of each template, oldest first; at least one. */
  @NotNull
  public List<Template> templates() {
    return templates;
  }

  /** Says nothing of the person, so that a log does not either. */
  @Override
  public String toString() {
    return "Person with " + templates.size() + " templates";
  }

  /** Where a template comes from. The template itself is had by {@link Gallery#templatesFor} alone. */
  public static final class Template {
    private final TemplateModel model;
    private final long created;

    Template(TemplateModel model, long created) {
      this.model = model;
      this.created = created;
    }

    /** The model that made it. */
    @NotNull
    public TemplateModel model() {
      return model;
    }

    /** When: milliseconds since 1970 UTC. */
    public long created() {
      return created;
    }
  }
}
