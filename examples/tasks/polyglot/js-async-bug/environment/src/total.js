/**
 * The price of a whole order.
 *
 * @param {string[]} articles article numbers
 * @param {(article: string) => Promise<number>} fetchPrice price of one article
 * @returns {Promise<number>}
 */
export async function totalPrice(articles, fetchPrice) {
  let total = 0;
  articles.forEach(async (article) => {
    total += await fetchPrice(article);
  });
  return total;
}
