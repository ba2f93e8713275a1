/** Collects everything, every other second, until it is ended. */
public final class FullGc {
    public static void main(String[] words) throws InterruptedException {
        while (true) {
            System.gc();
            Thread.sleep(2000);
        }
    }
}
