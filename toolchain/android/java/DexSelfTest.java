import java.io.File;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.tensorflowlite.Interpreter;
import org.pocketface.sdk.Bundle;
import org.pocketface.sdk.Check;
import org.pocketface.sdk.SelfTest;

/** DexSelfTest BUNDLE JAR: the SDK's self-test of a bundle, by the classes in JAR and no others. */
public class DexSelfTest {
  public static void main(String[] arguments) throws Exception {
    for (Class<?> used : new Class<?>[] {Bundle.class, SelfTest.class, Interpreter.class, Pointer.class}) {
      String place = used.getProtectionDomain().getCodeSource().getLocation().getPath();
      if (!place.equals(new File(arguments[1]).getCanonicalPath())) fail(used.getName() + ": expected from " + arguments[1] + ", got from " + place);
    }
    List<Check> checks = SelfTest.run(Bundle.read(new File(arguments[0])), 1);
    int models = 0;
    for (Check check : checks) {
      if (!check.passed) fail(check.name + ": " + check.detail);
      if (check.name.startsWith("embed ")) models++;
    }
    if (models == 0) fail("expected the self-test to run a variant, it ran none");
    System.out.println(checks.size() + " checks of the self-test passed, " + models + " variants among them");
  }

  private static void fail(String why) {
    System.err.println("error: " + why);
    System.exit(1);
  }
}
