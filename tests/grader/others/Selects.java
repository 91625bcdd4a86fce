// One thread and a Selector; each client has a buffer of its own. Usage: Selects PORT
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.*;

public class Selects {
    static final Selector selector = open();

    static Selector open() {
        try {
            return Selector.open();
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    static void accept(ServerSocketChannel listener) throws InterruptedException {
        try {
            SocketChannel client = listener.accept();
            client.configureBlocking(false);
            client.register(selector, SelectionKey.OP_READ, ByteBuffer.allocate(16384));
        } catch (IOException error) {
            Thread.sleep(20); // no descriptor
        }
    }

    static void echo(SelectionKey key) {
        try {
            SocketChannel client = (SocketChannel) key.channel();
            ByteBuffer buffer = (ByteBuffer) key.attachment();
            if (key.isReadable()) {
                if (client.read(buffer) < 0) {
                    client.close();
                    return;
                }
                buffer.flip();
            }
            client.write(buffer);
            key.interestOps(buffer.hasRemaining() ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
            if (!buffer.hasRemaining()) buffer.clear();
        } catch (IOException error) {
            try {
                key.channel().close();
            } catch (IOException again) { // it is gone
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 2000);
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        while (true) {
            selector.select();
            for (SelectionKey key : selector.selectedKeys()) {
                if (key.isAcceptable()) accept(listener);
                else echo(key);
            }
            selector.selectedKeys().clear();
        }
    }
}
