package nodetap.jvm;

import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;

/** Tells nodetap on the node where this agent listens: {@code /tmp/.nodetap-jvm-<pid>}, as long as the JVM lives. */
final class Note {
    private Note() {}

    static void write(String host, int port) {
        try {
            String name = ManagementFactory.getRuntimeMXBean().getName();
            String pid = name.substring(0, name.indexOf('@'));
            Path note = new File("/tmp", ".nodetap-jvm-" + pid).toPath();
            Path temporary = Files.createTempFile(
                    note.getParent(),
                    ".nodetap-jvm-",
                    "",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.write(temporary, ("host=" + host + "\nport=" + port + "\n").getBytes(StandardCharsets.UTF_8));
            Files.move(temporary, note, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            note.toFile().deleteOnExit();
        } catch (Throwable error) {
            // A read-only /tmp: the port of the command line is known without a note.
            Once.say(error);
        }
    }
}
