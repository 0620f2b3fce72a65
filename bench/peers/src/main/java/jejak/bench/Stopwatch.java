// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/** Time and CPU from the first record to the last, and of the second half of the records; safe between threads. */
final class Stopwatch {
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private final long total;
    private final AtomicLong seen = new AtomicLong();
    private final CountDownLatch done = new CountDownLatch(1);
    private volatile long started;
    private volatile long half;
    private volatile long ended;
    private long cpuStarted;
    private volatile long cpuEnded;

    Stopwatch(long total) {
        this.total = total;
    }

    void start() {
        if (started == 0) {
            synchronized (this) {
                if (started == 0) {
                    cpuStarted = SYSTEM.getProcessCpuTime();
                    started = System.nanoTime();
                }
            }
        }
    }

    void count(long records) {
        long now = seen.addAndGet(records);
        if (half == 0 && now >= total / 2) {
            half = System.nanoTime();
        }
        if (now >= total) {
            ended = System.nanoTime();
            cpuEnded = SYSTEM.getProcessCpuTime();
            done.countDown();
        }
    }

    boolean isOver() {
        return done.getCount() == 0;
    }

    void await() throws InterruptedException {
        done.await();
    }

    void print() {
        System.out.printf(
                Locale.ROOT,
                "{\"events\": %d, \"seconds\": %.6f, \"second_half_s\": %.6f, \"cpu_s\": %.6f}%n",
                seen.get(),
                (ended - started) / 1e9,
                (ended - half) / 1e9,
                (cpuEnded - cpuStarted) / 1e9);
    }
}
