// Sends requests at a fixed pace, whether or not the ones before were answered, and prints how long each took.
// Arguments: URL, number of requests, ms between them. A process of its own, and a light one.
import { Agent, get } from 'node:http';
import { setTimeout } from 'node:timers/promises';

const [, , url, count, pace] = process.argv;
const agent = new Agent({ keepAlive: true });

function probe() {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, timeout: 60_000 }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - began);
        else reject(new Error(`${url} answered ${response.statusCode}`));
      });
    });
    request.once('error', reject).once('timeout', () => request.destroy(new Error(`${url} did not answer`)));
  });
}

const first = Date.now();
const origin = performance.now();
const probes = [];
for (let index = 0; index < Number(count); index += 1) {
  await setTimeout(Math.max(0, origin + index * Number(pace) - performance.now()));
  probes.push(probe());
}
const last = Date.now();
const latencies = await Promise.all(probes);
agent.destroy();
console.log(JSON.stringify({ first, last, latencies }));
