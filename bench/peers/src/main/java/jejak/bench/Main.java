// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

/** Runs one contender: {@code java -cp … jejak.bench.Main NAME TASK.json}; its answer is the last line of stdout. */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        Task task = Task.read(args[1]);
        Stopwatch watch = new Stopwatch(task.number("events"));
        switch (args[0]) {
            case "plain" -> PlainConsumer.run(task, watch);
            case "memory" -> MemoryStreams.run(task, watch, false);
            case "changelog" -> MemoryStreams.run(task, watch, true);
            case "jdbc" -> DurableStreams.run(task, watch, "at_least_once");
            case "jdbc-exactly-once" -> DurableStreams.run(task, watch, "exactly_once_v2");
            default -> throw new IllegalArgumentException(args[0]);
        }
        watch.print();
    }
}
