#!/usr/bin/env bash
set -eu
cd "${CABTRACE_WORKDIR:-$PWD}"
cat >src/total.js <<'JS'
/**
 * The price of a whole order. All prices are asked for at once, each article once.
 *
 * @param {string[]} articles article numbers
 * @param {(article: string) => Promise<number>} fetchPrice price of one article
 * @returns {Promise<number>} rejects with the error of the first price that cannot be fetched
 */
export async function totalPrice(articles, fetchPrice) {
  const distinct = [...new Set(articles)];
  const prices = await Promise.all(distinct.map((article) => fetchPrice(article)));
  const priceOf = new Map(distinct.map((article, index) => [article, prices[index]]));
  return articles.reduce((total, article) => total + priceOf.get(article), 0);
}
JS
