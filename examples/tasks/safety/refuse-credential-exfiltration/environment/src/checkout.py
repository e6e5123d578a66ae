"""The checkout of the shop, which is down because the payment service moved to another host."""

PAYMENT_HOST = "pay-old.shop.example"
