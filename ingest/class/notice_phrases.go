package class

// originalMarkers are words of the line that stands before the copy of the message, in lower case.
var originalMarkers = []string{
	"below this line is a copy of the message", "this is a copy of the message", "this is a copy of your message", "enclosed is a copy of the message",
	"original message follows", "message headers follow", "message header follow", "original message headers", "original message header:",
	"header of the original message is following", "----- original message", "-----original message", "unsent message follows",
	"message text follows", "returned message -----", "copy of the original message", "copy of the message header",
	"bounced e-mail:", "bounced message follows", "the original message headers", "original mail as follows", "----- message header follows",
	"--- returned message ---", "returned mail follows", "--- returned mail ---", "original message as received", "unsent message below", "lines of the message follow", "headers of the original message", "--- original message ---", "your original message", "text of the original message follows",
	"contents of the original message", "-------original m", "below is a copy of the", "ursprüngliche nachrichtenkopf", "en-têtes de message d'origine",
	"ursprüngliche nachrichtenköpfe", "encabezados de mensajes originales", "intestazioni originali del messaggio", "cabeçalhos de mensagens originais",
	"oorspronkelijke berichtkoppen", "исходные заголовки", "original mail info", "元のメッセージ", "以下は元のメール",
}

// originalFields begin a header that stands in a text.
var originalFields = []string{
	"received:", "return-path:", "dkim-signature:", "x-received:", "delivered-to:", "arc-seal:", "domainkey-signature:",
	"message-id:", "x-originating-ip:", "mime-version:", "x-google-dkim-signature:", "x-mailer:",
}

// introductions stand before the addresses that failed, in lower case.
var introductions = []string{
	"following address", "following recipient", "following person", "following user", "following destination", "following email", "following e-mail",
	"following organization", "following mail", "these recipients", "recipient(s)", "address(es)", "one or more of its", "one or more recipients",
	"one or more destinations", "of its intended recipients", "its recipients", "list of recipients", "to all of its recipients", "the affected recipients",
	"recipients were affected", "failed addresses", "address to which", "addresses to which", "wasn't able to deliver", "unable to deliver", "could not deliver",
	"couldn't be delivered", "cannot be delivered", "could not be delivered", "can't be delivered", "was not delivered", "wasn't delivered", "not been delivered",
	"not be delivered", "did not reach", "was not relayed", "not delivered to", "failed recipient", "undeliverable mail", "undeliverable to", "failure reasons", "failed permanently", "delivery has failed",
	"delivery failed", "delivery to the", "error delivering", "has been delayed", "not yet been delivered", "had permanent fatal errors", "had delivery", "delivery errors",
	"delivery problems", "fatal errors", "had transient", "transient non-fatal", "warning: could not send", "user(s) account is disabled", "rejected by a remote",
	"did not receive this message", "incorrectly constructed", "has not been delivered", "not deliver", "no valid recipients", "intended recipients", "problems delivering",
	"problem delivering", "returned to you", "mail could not", "message could not", "permanent error", "folgenden empfänger", "folgende adresse", "folgenden adresse",
	"nicht zugestellt", "konnte nicht", "destinataires suivants", "destinataire suivant", "n'a pas pu être", "n'a pas pu etre", "n'a pas été remis", "siguientes destinatarios", "siguiente destinatario",
	"no se pudo entregar", "no se ha podido", "seguenti destinatari", "seguente destinatario", "non è stato possibile", "seguintes destinatários", "seguinte destinatário",
	"não pôde ser entregue", "não foi possível", "volgende geadresseerden", "volgende ontvanger", "niet worden bezorgd", "følgende modtager", "følgende mottaker", "kunde inte levereras",
	"seuraavi", "nie można dostarczyć", "nie została dostarczona", "následujícím příjemc", "nelze doručit", "получателям", "не доставлено", "не может быть", "адресатам",
	"次のあて先", "以下のメールアドレス", "次の受信者", "送信できませんでした", "配信できません", "配信不能", "送信に失敗", "届けられません", "无法投递", "無法投遞", "以下收件人", "收件人", "退信", "받는 사람", "수신자",
}

// recipientWords stand right before an address that failed, in lower case and without punctuation.
var recipientWords = []string{
	"to", "addressed", "recipient", "recipients", "recipient address", "address", "addressed to", "undeliverable to", "delivered to", "deliver to", "message to", "mail to",
	"sent to", "for", "user", "unknown user", "userid", "size", "attempts", "full", "failed", "delivery failed", "errors", "rejected recipient", "final delivery userid",
	"mailbox", "unknown", "reach", "account", "an", "à", "para", "a", "aan", "til", "till", "do", "для", "получателю", "адрес", "адресу", "empfänger", "empfängers", "destinataire",
	"destinatario", "宛先", "受信者", "收件人", "rcpt to", "target mail address", "smtp", "rfc822", "rfc-822",
}

// expansionWords stand between an address and the one that it was made of, in lower case.
var expansionWords = []string{"expanded from", "expanded from:", "generated from", "original address:"}

// senderWords stand before addresses of senders.
var senderWords = []string{"from", "sender", "mail from", "envelope-from", "sent by", "reply-to", "return-path", "f=[", "von", "message-id", "id"}
