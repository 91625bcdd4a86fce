// A thread for each client, from a pool that keeps idle threads for a minute. Usage: java Cached PORT [leak]
import java.io.IOException;
import java.net.*;
import java.util.*;
import java.util.concurrent.*;

public class Cached {
    static final List<byte[]> kept = new ArrayList<>();

    public static void main(String[] arguments) throws Exception {
        boolean leak = arguments.length > 1;
        ExecutorService pool = Executors.newCachedThreadPool();
        InetAddress loopback = InetAddress.getByName("127.0.0.1");
        try (ServerSocket listener = new ServerSocket(Integer.parseInt(arguments[0]), 4096, loopback)) {
            while (true) {
                try {
                    Socket client = listener.accept();
                    if (leak) kept.add(new byte[1000]);
                    pool.submit(() -> serve(client));
                } catch (IOException e) {
                    Thread.sleep(50);
                }
            }
        }
    }

    static void serve(Socket client) {
        try (client) {
            client.getInputStream().transferTo(client.getOutputStream());
        } catch (IOException e) {
        }
    }
}
