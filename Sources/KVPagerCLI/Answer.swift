import KVInspection
import KVPager

/// What a command says on standard output: one document, in one of two forms, once all went well.
enum Answer {
  static func write(json: @autoclosure () -> JSONValue, text: @autoclosure () -> String, _ options: OutputOptions)
    throws(StoreError)
  {
    try ByteStream.output.write(options.isJSON ? json().text() + "\n" : text())
  }

  /// What a reading command says: its JSON names the schema that it keeps to (data/schemas).
  static func write(
    _ schema: AnswerSchema, json: @autoclosure () -> JSONValue, text: @autoclosure () -> String,
    _ options: OutputOptions
  ) throws(StoreError) {
    try write(json: json().tagged(schema), text: text(), options)
  }

  /// Text from a file or a store, safe for a terminal: control characters as escapes.
  static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
    return text.unicodeScalars.map { scalar in
      scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
    }.joined()
  }

  /// "1 block", "2 blocks".
  /// - Parameter isGrouped: "1,234 blocks".
  static func count(_ count: Int, _ noun: String, isGrouped: Bool = false) -> String {
    "\(isGrouped ? Decimal.grouped(count) : String(count)) \(noun)\(count == 1 ? "" : "s")"
  }
}
