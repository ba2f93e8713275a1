package nodetap.jvm;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import javax.management.MalformedObjectNameException;
import javax.management.ObjectName;

/**
 * One line of the file of rules: {@code counter|gauge NAME OBJECT_NAME_PATTERN ATTRIBUTE}.
 *
 * <p>Keys of the object name that the pattern leaves open become labels; {@code Attribute.key} reaches into composite
 * data. Empty lines and those that begin with {@code #} are nothing.
 */
final class Rule {
    final boolean isCounter;
    final String name;
    final ObjectName pattern;
    final String attribute;

    private Rule(boolean isCounter, String name, ObjectName pattern, String attribute) {
        this.isCounter = isCounter;
        this.name = name;
        this.pattern = pattern;
        this.attribute = attribute;
    }

    static List<Rule> read(String path) throws IOException {
        List<Rule> rules = new ArrayList<>();
        int number = 0;
        for (String line : Files.readAllLines(Paths.get(path), StandardCharsets.UTF_8)) {
            number++;
            String[] words = line.trim().split("\\s+");
            if (line.trim().isEmpty() || words[0].startsWith("#")) {
                continue;
            }
            boolean isKnown = words[0].equals("counter") || words[0].equals("gauge");
            try {
                if (words.length != 4 || !isKnown || !words[1].matches("[a-zA-Z_][a-zA-Z0-9_]*")) {
                    throw new IllegalArgumentException("counter|gauge NAME OBJECT_NAME ATTRIBUTE");
                }
                rules.add(new Rule(words[0].equals("counter"), words[1], new ObjectName(words[2]), words[3]));
            } catch (MalformedObjectNameException | IllegalArgumentException error) {
                throw new IOException(path + " line " + number + ": " + error.getMessage(), error);
            }
        }
        return rules;
    }
}
