/// Text that was read from a store (names, metadata, tokens' text), made fit to be looked at: what would not be seen,
/// or would change how its neighbours are seen, becomes visible; what is too long for its place is cut.
package enum StoreText {
  /// Characters of a name that a page shows.
  package static let nameLimit = 80

  package static func visible(_ text: String, limit: Int = nameLimit) -> String {
    var result = ""
    var count = 0
    // An inspector's text may be megabytes: no more of it is looked at than is shown.
    for scalar in text.unicodeScalars {
      guard count < limit else { return result + "…" }
      count += 1
      switch scalar.properties.generalCategory {
      case .control where scalar.value < 0x20: result.unicodeScalars.append(picture(0x2400 + scalar.value))
      case .control where scalar.value == 0x7f: result.unicodeScalars.append(picture(0x2421))
      // Joiners, which emoji and several scripts are written with.
      case .format where scalar == "\u{200c}" || scalar == "\u{200d}": result.unicodeScalars.append(scalar)
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result.isEmpty ? "(empty)" : result
  }

  /// A name in a sentence or a cell: isolated, so that its writing direction stays its own.
  package static func html(_ text: String, limit: Int = nameLimit) -> HTML {
    "<bdi>\(visible(text, limit: limit))</bdi>"
  }

  /// A sentence whose commands stand between backquotes.
  package static func sentence(_ text: String, limit: Int = 1000) -> HTML {
    let parts = visible(text, limit: limit).split(separator: "`", omittingEmptySubsequences: false)
    // An odd one out is a backquote and nothing more.
    guard parts.count % 2 == 1 else { return "\(visible(text, limit: limit))" }
    return parts.enumerated().map { index, part in
      index % 2 == 1 ? "<code>\(String(part))</code>" : "\(String(part))" as HTML
    }.joined()
  }

  private static func picture(_ value: UInt32) -> Unicode.Scalar { Unicode.Scalar(value) ?? "\u{fffd}" }
}
