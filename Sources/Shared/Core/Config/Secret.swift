/// A text that never shows itself: printing, logging or dumping it gives `(hidden)`.
public struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The text itself, for the one place that sends it.
    public var revealed: String
    public init(_ text: String) { revealed = text }

    /// What is printed in place of every secret.
    public static let mask = "(hidden)"
    public var description: String { Self.mask }
    public var debugDescription: String { Self.mask }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// A text that may hold URLs, with every query value and every user:password hidden.
    ///
    /// Query values end at `&`, white space, a comma or a quote, so lists of URLs work too. O(length).
    public static func hidden(in text: String) -> String {
        hidingQueryValues(hidingUserInfo(text))
    }

    private static func hidingUserInfo(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let scheme = rest.firstRange(ofText: "://") {
            result += rest[..<scheme.upperBound]
            rest = rest[scheme.upperBound...]
            let authority = rest.prefix { !"/?#, \t\n\"'".contains($0) }
            if let at = authority.lastIndex(of: "@") {
                result += mask
                rest = rest[at...]
            }
        }
        return result + rest
    }

    private static func hidingQueryValues(_ text: String) -> String {
        var result = ""
        var inQuery = false
        var inValue = false
        for character in text {
            if character == "?" { inQuery = true }
            if " \t\n,\"'".contains(character) { (inQuery, inValue) = (false, false) }
            if inQuery, character == "&" { inValue = false }
            if inValue { continue }
            result.append(character)
            if inQuery, character == "=" {
                inValue = true
                result += mask
            }
        }
        return result
    }
}

extension Substring {
    /// The first place where `text` occurs. O(length of both).
    fileprivate func firstRange(ofText text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
