// java: threads, direct buffers, compression, collections
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.Deflater;

public class Work {
	public static void main(String[] args) throws Exception {
		int threads = args.length > 0 ? Integer.parseInt(args[0]) : 8;
		int rounds = args.length > 1 ? Integer.parseInt(args[1]) : 400;
		AtomicLong sum = new AtomicLong();
		List<Thread> all = new ArrayList<>();
		for (int t = 0; t < threads; t++) {
			final int me = t;
			Thread thread = new Thread(() -> sum.addAndGet(work(me, rounds / threads + 1)));
			thread.start();
			all.add(thread);
		}
		for (Thread thread : all) thread.join();
		System.out.println(threads + " threads, " + sum.get());
	}

	static long work(int me, int rounds) {
		long sum = 0;
		for (int r = 0; r < rounds; r++) {
			Map<String, byte[]> map = new HashMap<>();
			for (int i = 0; i < 2000; i++) map.put("key" + (i * 7919 % 3001), new byte[16 + i % 500]);
			ByteBuffer direct = ByteBuffer.allocateDirect(65536);
			for (int i = 0; i < 65536; i++) direct.put((byte) (i * me));
			direct.flip();
			Deflater deflater = new Deflater();
			deflater.setInput(direct);
			deflater.finish();
			sum += deflater.deflate(new byte[70000]) > 0 ? map.size() : 0;
			deflater.end();
		}
		return sum;
	}
}
