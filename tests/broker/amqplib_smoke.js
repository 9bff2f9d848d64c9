// What a Node service does with a broker: publishes with confirms, consumes, is refused.
// Run by test_other_clients.py with the broker's address; prints a word for everything that went well.
"use strict";
const amqp = require("amqplib");

async function main(url) {
  const connection = await amqp.connect(url);
  connection.on("error", () => {});
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange("events", "topic", { durable: false });
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(queue, "events", "echo.*");
  await channel.prefetch(1);

  for (let n = 0; n < 3; n++) {
    channel.publish("events", "echo.x", Buffer.from(String(n)), { headers: { n }, persistent: true });
  }
  await channel.waitForConfirms();
  console.log("confirmed");

  await new Promise((resolve) => {
    channel.consume(queue, (message) => {
      console.log(`got:${message.content}`);
      channel.ack(message);
      if (message.properties.headers.n === 2) resolve();
    });
  });

  const returned = new Promise((resolve) => channel.once("return", resolve));
  channel.publish("events", "nobody", Buffer.from("lost"), { mandatory: true });
  console.log(`returned:${(await returned).fields.replyCode}`);

  const other = await connection.createChannel();
  other.on("error", () => {});
  try {
    await other.assertQueue("q", { durable: false, messageTtl: -1 });
  } catch (error) {
    console.log(`refused:${error.code}`);
  }
  await connection.close();
  console.log("done");
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
