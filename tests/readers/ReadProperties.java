import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;

/**
 * Loads each file of a folder as ISO-8859-1 and as UTF-8, and prints what both gave: a line with the hexadecimal UTF-8
 * of key and value for each property, and an empty line after each file.
 */
public class ReadProperties {
    public static void main(String[] arguments) throws IOException {
        var output = new StringBuilder();
        for (Path path : paths(Path.of(arguments[0]))) {
            Properties properties = load(path);
            for (String key : new TreeSet<>(properties.stringPropertyNames())) {
                output.append(hex(key)).append(' ').append(hex(properties.getProperty(key))).append('\n');
            }
            output.append('\n');
        }
        System.out.print(output);
    }

    private static List<Path> paths(Path folder) throws IOException {
        try (var entries = Files.list(folder)) {
            return entries.sorted().toList();
        }
    }

    private static Properties load(Path path) throws IOException {
        byte[] bytes = Files.readAllBytes(path);
        var fromLatin1 = new Properties();
        fromLatin1.load(new ByteArrayInputStream(bytes));
        var fromUtf8 = new Properties();
        fromUtf8.load(new InputStreamReader(new ByteArrayInputStream(bytes), StandardCharsets.UTF_8));
        if (!fromLatin1.equals(fromUtf8)) {
            throw new IllegalStateException(path + " reads differently from ISO-8859-1 and from UTF-8");
        }
        return fromLatin1;
    }

    private static String hex(String text) {
        return HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
    }
}
