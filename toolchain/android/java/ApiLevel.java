import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.codehaus.mojo.animal_sniffer.ClassListBuilder;
import org.codehaus.mojo.animal_sniffer.SignatureChecker;
import org.codehaus.mojo.animal_sniffer.logging.Logger;

/** ApiLevel SIGNATURES FOLDER|JAR...: fails with the first name in the class files that the signatures do not have. */
public class ApiLevel {
  public static void main(String[] arguments) throws Exception {
    Findings findings = new Findings();
    File[] places = Arrays.stream(arguments).skip(1).map(File::new).toArray(File[]::new);
    // What they hold themselves is no name of Android's, nor is TensorFlow Lite, which comes along.
    ClassListBuilder own = new ClassListBuilder(findings);
    own.process(places);
    own.getPackages().add("org.bytedeco.*");
    SignatureChecker checker;
    try (InputStream signatures = new FileInputStream(arguments[0])) {
      checker = new SignatureChecker(signatures, own.getPackages(), findings);
    }
    checker.setSourcePath(Collections.<File>emptyList());
    // Methods with this annotation are called behind a check of the phone's version.
    List<String> guards = new ArrayList<>();
    for (String name : own.getPackages()) if (name.endsWith(".SinceApi")) guards.add(name);
    checker.setAnnotationTypes(guards);
    checker.process(places);
    if (checker.isSignatureBroken() || !findings.lines.isEmpty()) {
      System.err.println("error: " + (findings.lines.isEmpty() ? "a name is missing" : findings.lines.get(0)));
      System.exit(1);
    }
    System.out.println(own.getPackages().size() - 1 + " classes name nothing that API 26 lacks");
  }

  /** Keeps what the checker finds, in place of printing it. */
  private static class Findings implements Logger {
    final List<String> lines = new ArrayList<>();

    @Override public void error(String message) { lines.add(message); }
    @Override public void error(String message, Throwable cause) { lines.add(message); }
    @Override public void warn(String message) { lines.add(message); }
    @Override public void warn(String message, Throwable cause) { lines.add(message); }
    @Override public void info(String message) { }
    @Override public void info(String message, Throwable cause) { }
    @Override public void debug(String message) { }
    @Override public void debug(String message, Throwable cause) { }
  }
}
