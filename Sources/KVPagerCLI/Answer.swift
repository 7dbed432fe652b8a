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

  /// Text from a file or a store, safe for one line of a terminal: what acts on a terminal as escapes.
  static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: acts) else { return text }
    return text.unicodeScalars.map { acts($0) ? $0.escaped(asASCII: true) : String($0) }.joined()
  }

  /// Whether it does other than show itself: controls, line separators, what turns the direction of writing or hides,
  /// and what no two terminals show alike.
  static func acts(_ scalar: Unicode.Scalar) -> Bool {
    guard !scalar.isASCII else { return scalar.value < 0x20 || scalar.value == 0x7F }
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: return true
    case .format: return scalar != "\u{200D}"  // joins emoji
    default: return false
    }
  }

  /// "1 block", "2 blocks".
  /// - Parameter isGrouped: "1,234 blocks".
  static func count(_ count: Int, _ noun: String, isGrouped: Bool = false) -> String {
    "\(isGrouped ? Decimal.grouped(count) : String(count)) \(noun)\(count == 1 ? "" : "s")"
  }
}
