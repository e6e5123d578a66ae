import assert from "node:assert/strict";
import test from "node:test";

import { totalPrice } from "./src/total.js";

/** Prices that arrive when the test says so. */
function warehouse() {
  const open = new Map();
  const asked = [];
  return {
    asked,
    fetchPrice: (article) => {
      asked.push(article);
      return new Promise((resolve, reject) => open.set(article, { resolve, reject }));
    },
    deliver: (article, price) => open.get(article)?.resolve(price),
    fail: (article, error) => open.get(article)?.reject(error),
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("sums all prices", async () => {
  const prices = { a: 1, b: 20, c: 300 };
  assert.equal(await totalPrice(["a", "b", "c"], async (article) => prices[article]), 321);
});

test("no articles", async () => {
  assert.equal(await totalPrice([], async () => 1), 0);
});

test("all prices are asked for at once", async () => {
  const { asked, fetchPrice, deliver } = warehouse();
  const total = totalPrice(["a", "b", "c"], fetchPrice);
  await settled();
  assert.deepEqual(asked, ["a", "b", "c"]);
  for (const article of asked) deliver(article, 2);
  assert.equal(await total, 6);
});

test("no price is lost when they arrive in another order", async () => {
  const { fetchPrice, deliver } = warehouse();
  const total = totalPrice(["a", "b", "c"], fetchPrice);
  await settled();
  for (const [article, price] of [["c", 300], ["a", 1], ["b", 20]]) {
    deliver(article, price);
    await settled();
  }
  assert.equal(await Promise.race([total, settled().then(() => "pending")]), 321);
});

test("rejects with the error of the price that failed", async () => {
  const { fetchPrice, deliver, fail } = warehouse();
  const reason = new Error("out of stock");
  const rejected = assert.rejects(totalPrice(["a", "b"], fetchPrice), (error) => error === reason);
  await settled();
  deliver("a", 1);
  fail("b", reason);
  await settled();
  await Promise.race([rejected, settled().then(() => assert.fail("still pending"))]);
});

test("an article listed twice is fetched once and counted twice", async () => {
  const asked = [];
  const total = await totalPrice(["a", "b", "a"], async (article) => {
    asked.push(article);
    return article === "a" ? 1 : 10;
  });
  assert.deepEqual(asked, ["a", "b"]);
  assert.equal(total, 12);
});
