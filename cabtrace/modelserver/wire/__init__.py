"""How an answer looks on the wire, one module an API: `document` not streamed, `stream` as the chunks to send."""
