extension [String: String] {
  /// The pairs in the order of their names' UTF-8 bytes: an order that every language has, so that what is hashed or
  /// stored in it can be made again elsewhere.
  package var inNameOrder: [(key: String, value: String)] {
    sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
  }
}
