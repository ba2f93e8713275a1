package nodetap.jvm;

import java.util.HashMap;
import java.util.Map;

/** {@code port=9404,host=127.0.0.1,rules=/path,delay=5}. */
final class Options {
    private Options() {}

    static Map<String, String> parse(String text) {
        Map<String, String> options = new HashMap<>();
        if (text == null) {
            return options;
        }
        for (String option : text.split(",")) {
            int equals = option.indexOf('=');
            if (equals > 0) {
                options.put(option.substring(0, equals).trim(), option.substring(equals + 1).trim());
            }
        }
        return options;
    }
}
