import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Collections;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import com.googlecode.d2j.dex.Dex2jar;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Opcodes;

/**
 * FromDex CLASSES.dex OUT.jar: class files that a desktop JVM runs, of the code in a dex file.
 *
 * <p>dex2jar states wrong stack sizes, and its frames name classes that are not there. So it is told to write no frames, sizes are
 * computed anew, and the class file version is set to Java 5's, which the JVM verifies without frames.
 */
public class FromDex {
  public static void main(String[] arguments) throws Exception {
    Path translated = Files.createTempFile("translated", ".jar");
    Files.delete(translated); // dex2jar makes a zip of its own
    try {
      Dex2jar.from(Files.readAllBytes(Paths.get(arguments[0]))).dontSanitizeNames(true).to(translated);
      repair(translated, Paths.get(arguments[1]));
    } finally {
      Files.deleteIfExists(translated);
    }
  }

  private static void repair(Path translated, Path out) throws Exception {
    try (ZipFile in = new ZipFile(translated.toFile()); OutputStream file = Files.newOutputStream(out);
        ZipOutputStream zip = new ZipOutputStream(file)) {
      int count = 0;
      for (ZipEntry entry : Collections.list(in.entries())) {
        if (!entry.getName().endsWith(".class")) continue;
        try (InputStream data = in.getInputStream(entry)) {
          zip.putNextEntry(new ZipEntry(entry.getName()));
          zip.write(repaired(data.readAllBytes()));
          count++;
        }
      }
      System.out.println(count);
    }
  }

  private static byte[] repaired(byte[] classFile) throws Exception {
    ClassWriter writer = new ClassWriter(ClassWriter.COMPUTE_MAXS);
    ClassVisitor older = new ClassVisitor(Opcodes.ASM9, writer) {
      @Override public void visit(int version, int access, String name, String signature, String parent, String[] interfaces) {
        super.visit(Opcodes.V1_5, access, name, signature, parent, interfaces);
      }
    };
    new ClassReader(new ByteArrayInputStream(classFile)).accept(older, ClassReader.SKIP_FRAMES);
    return writer.toByteArray();
  }
}
