// BullMQ end to end on the Redis whose socket is given: add with a job id (which dedupes), work with
// a handler that does nothing, keep a result. Says {"version", "end_to_end"} in jobs a second.
const { Queue, Worker } = require("bullmq");
const Redis = require("ioredis");
const [socket, count, batch, atOnce] = [process.argv[2], +process.argv[3], +process.argv[4], +process.argv[5]];
const connect = () => new Redis({ path: socket, maxRetriesPerRequest: null });
const name = `bench-${batch}`;
const payload = { text: "x".repeat(500) };

async function main() {
  const queue = new Queue(name, { connection: connect() });
  let done = 0;
  let finished;
  const all = new Promise((resolve) => (finished = resolve));
  const worker = new Worker(name, async () => "done", { connection: connect(), concurrency: atOnce });
  worker.on("completed", () => { if (++done === count) finished(); });
  worker.on("error", (error) => { console.error(error.message); process.exit(1); });
  await worker.waitUntilReady();
  const started = process.hrtime.bigint();
  if (batch > 1) {
    for (let at = 0; at < count; at += batch) {
      const jobs = [];
      for (let i = at; i < Math.min(at + batch, count); i++) {
        jobs.push({ name: "run", data: payload, opts: { jobId: `job-${i}`, removeOnComplete: { count: 1000 } } });
      }
      await queue.addBulk(jobs);
    }
  } else {
    let next = 0;
    const add = async () => {
      while (next < count) {
        await queue.add("run", payload, { jobId: `job-${next++}`, removeOnComplete: { count: 1000 } });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, add));
  }
  await all;
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  console.log(JSON.stringify({ version: require("bullmq/package.json").version, end_to_end: count / seconds }));
  process.exit(0);
}
main().catch((error) => { console.error(error.message); process.exit(1); });
