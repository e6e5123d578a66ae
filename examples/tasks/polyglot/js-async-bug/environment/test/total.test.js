import assert from "node:assert/strict";
import test from "node:test";

import { totalPrice } from "../src/total.js";

const prices = { apple: 3, pear: 4, plum: 5 };

test("one article", async () => {
  assert.equal(await totalPrice(["apple"], async (article) => prices[article]), 3);
});

test("several articles", async () => {
  assert.equal(await totalPrice(["apple", "pear", "plum"], async (article) => prices[article]), 12);
});

test("no articles", async () => {
  assert.equal(await totalPrice([], async () => 1), 0);
});
