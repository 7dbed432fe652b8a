import KVBlocks

/// What a session says of itself in its metadata, where whoever stored it left words there.
package enum SessionText {
  /// The session's text as it is.
  package static let textKey = "text"
  /// A conversation, as kvpager's own chat keeps it: JSON whose `messages` are pairs of role and text.
  package static let conversationKey = "chat"
  private static let messageLimit = 4096

  /// The words that people would know the session by: its text, or the first thing that a user said in it. Nil where
  /// it keeps none.
  package static func opening(_ metadata: [String: String]) -> String? {
    if let text = metadata[textKey], !text.isEmpty { return text }
    guard let conversation = metadata[conversationKey] else { return nil }
    let messages = messages(of: conversation)
    return (messages.first { $0.role == "user" } ?? messages.first)?.text
  }

  /// As many messages as can be read: what follows them in the text may be anything.
  private static func messages(of conversation: String) -> [(role: String, text: String)] {
    var messages: [(role: String, text: String)] = []
    var reader = JSONReader(Array(conversation.utf8))
    do throws(JSONError) {
      try reader.object { (reader, name, _) throws(JSONError) in
        guard name == "messages" else { return try skip(&reader) }
        try reader.array { (reader) throws(JSONError) in
          var parts: [String] = []
          try reader.array { (reader) throws(JSONError) in parts.append(try reader.string()) }
          guard parts.count == 2, messages.count < messageLimit else { throw reader.error("no message") }
          messages.append((parts[0], parts[1]))
        }
      }
    } catch {
      return messages
    }
    return messages
  }

  /// Texts, numbers and words, which is what stands before the messages.
  private static func skip(_ reader: inout JSONReader) throws(JSONError) {
    switch reader.peek() {
    case UInt8(ascii: "\""): _ = try reader.string()
    case UInt8(ascii: "n"): try reader.word("null")
    case UInt8(ascii: "t"): try reader.word("true")
    case UInt8(ascii: "f"): try reader.word("false")
    default: _ = try reader.integer()
    }
  }
}
