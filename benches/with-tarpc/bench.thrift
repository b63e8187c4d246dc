namespace rs bench

// What every subject is measured with, as far as thrift has it: there are no streams.
service Echo {
  // The same bytes back.
  Payload unary(1: Payload payload),
  // The same bytes back, after one turn of the queue.
  Payload unary_yield(1: Payload payload),
}

// Some bytes.
struct Payload {
  1: required binary body,
}
