package nodetap.jvm;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;

/** Puts texts together so that no family is there twice: the first wins. */
final class Merge {
    private Merge() {}

    /** Writes the families of a text that are not known yet. */
    static void append(String text, Set<String> known, OutputStream out) throws IOException {
        Set<String> here = new HashSet<>();
        boolean keeps = true;
        StringBuilder kept = new StringBuilder(text.length());
        for (String line : text.split("\n")) {
            String[] words = line.split(" ", 4);
            if (words.length >= 3 && words[0].equals("#") && (words[1].equals("HELP") || words[1].equals("TYPE"))) {
                keeps = here.contains(words[2]) || known.add(words[2]);
                if (keeps) {
                    here.add(words[2]);
                }
            }
            if (keeps && !line.isEmpty()) {
                kept.append(line).append('\n');
            }
        }
        out.write(kept.toString().getBytes(StandardCharsets.UTF_8));
    }
}
