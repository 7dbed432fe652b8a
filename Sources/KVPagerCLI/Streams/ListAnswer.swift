import KVInspection
import KVPager

/// An answer in JSON with one list that may be too long to be held as a whole.
enum ListAnswer {
  static let bufferByteCount = 1 << 16

  /// Writes the object `rest` with the list as its first member: its name must come before the others'.
  static func write(
    _ name: String, _ elements: some Sequence<JSONValue>, rest: JSONValue
  ) throws(StoreError) {
    var text = "{\n  \"\(name)\": ["
    var isFirst = true
    for element in elements {
      text += isFirst ? "\n    " : ",\n    "
      text += element.text().replacing("\n", with: "\n    ")
      isFirst = false
      guard text.utf8.count > bufferByteCount else { continue }
      try ByteStream.output.write(text)
      text = ""
    }
    // The rest begins with its own brace.
    text += (isFirst ? "]," : "\n  ],") + rest.text().dropFirst() + "\n"
    try ByteStream.output.write(text)
  }
}
