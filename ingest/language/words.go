package language

import "strings"

// list are frequent words of one language: the small words that carry sentences, and those that customers use. A word
// may stand in several lists and counts for less then.
type list struct {
	language string
	words    string
	// endings are of words that are in no list. They count for a quarter.
	endings string
}

// latinLists are the languages with Latin letters, at most 32.
func latinLists() []list {
	return []list{
		{"en", `the and of to in is that it for you was on are as with his they be at this have from or one had by but not what all were we when your can said there use an each which she do
			how their if will up other about out many then them these so some her would make like him into time has look two more go see no way could my than been who its now find did get may part i me
			am please thank thanks hello hi dear regards order ordered received still need want know any because after before since yet does don doesn didn can't won isn t ve ll re im
			delivery invoice refund help account email money back week weeks day days yesterday today tomorrow again only just here let us our been being where why whether should very much also over such
			every everyone right rights shall no package parcel product wrong broken return paid waiting answer number address size arrived item both against all may`,
			`ing tion ness ment ough ould`},
		{"de", `der die das und in den von zu mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war
			haben nur oder aber vor zur bis mehr durch man sein wurde sei ich mir mich mein meine meinen meiner meinem wir uns unser unsere ihr ihre ihren ihrem ihnen du dir dich dein kann können konnte
			möchte möchten bitte danke vielen dank hallo guten tag sehr geehrte geehrter herr frau damen herren grüße grüßen freundlichen gruß bestellung bestellt lieferung rechnung erhalten bekommen leider
			habe hatte hätte wäre würde wenn weil wann warum wo was wer welche dieser diese dieses heute gestern morgen woche wochen tage tagen jetzt schon immer wieder kein keine gibt geld zurück
			vom beim ins fuer ueber koennen moechte gruesse waere wuerde zurueck alle alles etwas nichts da dann damit denn doch also ja nein`,
			`ung ungen lich lichen keit heit isch ieren schaft`},
		{"fr", `le la les de des du un une et à est en que qui dans pour pas au sur ne se ce il sont la plus par je avec tout faire son mais comme ou si leur y dire elle devoir avant deux même aux où nous vous
			mon ma mes votre vos notre nos ses cette ces cet c d j l n m s qu ai avez avons ont était été suis êtes sommes être avoir fait bonjour merci cordialement madame monsieur commande commandé livraison
			facture reçu toujours depuis encore aussi bien très peu sans sous chez alors donc car quand comment pourquoi pouvez pourriez voudrais souhaite souhaiterais bonne journée salutations svp plaît
			jour jours semaine semaines hier demain remboursement compte problème rien jamais après ça cela celui aucun aucune peut pouvoir puis lors afin dont lui moi eux
			toute personne droit droits colis produit erreur cassé retourner remboursé payé attends réponse numéro adresse taille arrivé article ils elles`,
			`ment tion eux euse ait aient ique`},
		{"es", `el la de que y a en un ser se no haber por con su para como estar tener le lo todo pero más hacer o poder decir este ir otro ese si me ya ver porque dar cuando él muy sin vez mucho saber
			qué sobre mi alguno mismo yo también hasta año dos querer entre así primero desde grande eso ni nos llegar pasar tiempo ella sí día uno bien poco los las del al es son una está están estoy he
			ha han hemos fue era ustedes usted gracias hola buenos días tardes buenas saludos estimado estimados señor señora pedido factura entrega recibido todavía aún necesito quiero quisiera puede pueden
			podría favor por tengo tiene hace semana semanas ayer hoy mañana cuenta dinero devolución problema ningún ninguna nada nunca donde dónde cómo cuándo les mis sus nuestro nuestra esta estos esas
			toda persona derecho tienen tengo paquete producto equivocado roto devolver reembolso pagado pagué espero respuesta número dirección talla llegado llegó artículo`,
			`ción ciones mente dad ados idos aba ando iendo`},
		{"pt", `o a de e do da em que um uma para com não os no se na por mais as dos como mas foi ao ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era
			depois sem mesmo aos ter seus quem nas me esse eles estão você tinha foram essa num nem suas meu minha meus minhas numa pelos elas havia seja qual será nós tenho lhe deles este fosse dele
			obrigado obrigada olá bom dia boa tarde cumprimentos atenciosamente prezados caro senhor senhora encomenda pedido fatura entrega recebi recebido ainda preciso gostaria queria pode podem poderia
			favor semana semanas ontem hoje amanhã conta dinheiro reembolso problema nenhum nada nunca onde porque porquê desde agora vocês são estou estava fazer fiz foi feito três dias quero deixou ficou ainda cada fim`,
			`ção ções mente dade ados idos ava ando endo inho`},
		{"it", `di e che è la il un a per in una mi sono ho non ma lo ha le si ti i con cosa se io come da ci no questo qui hai sei del bene sì della tu lei più tutto al dei nel alla gli mio mia anche solo
			era delle suo sua fare quando ora cui loro noi voi quello chi perché dove molto dal nella dalla alle sul essere stato stata ancora già grazie buongiorno salve saluti cordiali gentile gentili
			signora signore spettabile ordine ordinato fattura consegna ricevuto vorrei potete può puoi potreste favore cortesia settimana settimane giorni giorno ieri oggi domani conto soldi rimborso problema
			nessun nessuna niente mai dell nell all sull dall degli agli sia hanno abbiamo avete siamo siete faccio fatto mie miei nostro nostra vostro vostra questa questi prima dopo senza ogni`,
			`zione zioni mente tà ato ata ando endo issimo`},
		{"nl", `de en van ik te dat die in een hij het niet zijn is was op aan met als voor had er maar om hem dan zou of wat mijn men dit zo door over ze zich bij ook tot je mij uit der daar haar naar heb hoe
			heeft hebben deze u want nog zal me zij nu ge geen omdat iets worden toch al waren veel meer doen toen moet ben zonder kan hun dus alles onder ja eens hier wie werd altijd doch wordt wezen kunnen
			ons zelf tegen na reeds wil kon niets uw iemand geweest andere graag bedankt dank beste geachte hallo goedendag vriendelijke groet groeten bestelling besteld factuur levering ontvangen week weken
			gisteren vandaag morgen geld terug rekening probleem wanneer waarom waar alvast heer mevrouw hebt bent zou wilt kunt jullie wij we dagen dag nieuwe maar steeds`,
			`heid lijk lijke ing ingen tje tjes eren isch`},
		{"sv", `och i att det som en på är av för med den till inte jag om ett han men var de sig så har kan från vi du vid ut när hade eller under skulle hur över upp ingen efter honom mycket denna än min
			sin sedan mot nu hon bara sina varit åt dem vad alla andra blir ha bli där vilken mitt man in mig dig er ert ni oss vår våra deras också redan skall får fått vill tack hej vänliga hälsningar
			beställning beställt faktura leverans fortfarande vecka veckor igår idag imorgon pengar tillbaka konto problem varför någon något några inget behöver skulle kunna gärna snälla mvh dagar dag ska
			mina era detta dessa eftersom sig kom gör göra hos utan mellan igen bättre väldigt
			människa människor mellan emot samma annan annat första mindre hela varje kommer går säger står finns hur vilken vilka sådan både stor stora liten varan varor saknas trasig fel köpt
			köpte skickat skickade returnera byta storlek rätt ingen`,
			`ning ningen arna erna else het ande igt`},
		{"da", `og i at det er en til på som for med den de af ikke har jeg et der om vi var han men kan mig så hvad du nu sig efter dem hvor fra min vil også over ham blev når da eller skal hun have op ud hvis
			været os ind dig denne nogen noget nogle bliver blive mine vores jeres deres uden meget måske lige kun kunne skulle ville tak hej venlig hilsen hilsner bestilling bestilt faktura levering modtaget
			stadig endnu uge uger penge tilbage konto problem hvorfor hvornår gerne siden igen fået får dage dag i går morgen mange selv være nej alle andre end jo man mit din sidste kontakte pakke pakken
			spørgsmål sprog bedste ønsker hjælp hjælpe betalt betale
			enhver menneske mennesker mellem imod fordi eftersom samme anden andet første mindre hele hver gør kommer går siger står findes hvordan hvilken hvilke jer sådan ligesom både stor
			store lille dog varen varer mangler ødelagt forkert købt købte sendt afsendt returnere bytte størrelse ret ingen må under`,
			`ning ningen erne else hed ende igt lse tion ede hed heden`},
		{"no", `og i det er på en til som for med jeg at ikke den har de av et om vi var han men kan meg så hva du nå seg etter dem hvor fra min vil også over ham ble når da eller skal hun ha opp ut hvis vært
			oss inn deg denne noen noe blir bli mine vår våre deres uten mye veldig kanskje bare kunne skulle ville takk hei vennlig hilsen bestilling bestilt faktura levering mottatt fortsatt fremdeles ennå
			uke uker penger tilbake konto problem hvorfor gjerne siden igjen fått får dager dag i går morgen mange selv være nei alle andre enn jo man mitt din siste kontakte pakke pakken spørsmål språk beste
			ønsker hjelp hjelpe betalt betale dere sier gjør gjøre
			ethvert enhver menneske mennesker mellom imot fordi ettersom samme annen annet første mindre hele hver kommer går står finnes hvordan hvilken hvilke slik både stor store liten varen
			varer mangler ødelagt feil kjøpt kjøpte sendt returnere bytte størrelse rett ingen må under`,
			`ning ningen ene else het ende ig lse sjon heten ene`},
		{"fi", `ja on ei että se hän oli en ole mutta minä kun niin ne myös joka mitä sen mukaan kuin jos olen ovat sekä ollut tai siitä minun hänen jonka vain me nyt sitä voi vielä kanssa tämä tämän siellä
			he jo sinä mikä näin kuitenkin jotka sitten koska olla olisi eivät olivat miten minulle teidän teille meidän kiitos hei terve moi terveisin ystävällisin tilaus tilauksen tilasin lasku toimitus
			saanut tilaukseni paketti viikko viikkoa eilen tänään huomenna rahat takaisin tili ongelma miksi milloin voitte voisitteko haluan haluaisin tarvitsen päivää päivä asti vai kaikki mitään yhtään
			edelleen enää aina jälkeen ennen ilman täällä hyvää huomenta olemme olette saada
			kuinka kuka tuote tuotteen tuotetta väärä rikki palauttaa palautus hyvitys maksoin maksu saapunut saapui tullut numero osoite vastausta odotan ihan jokainen jokaisella oikeus ketään`,
			`ssa ssä sta stä lla llä lle ksi nen iset ista een aan ään mme tte mus uksen minen misen aista ille`},
		{"pl", `i w nie na się do to że z jest o jak ale po co tak za od czy go by już tylko jego dla jej może ja ten który są tym ich był przez było być mnie ze była kiedy tego bardzo tu jeszcze mam pan
			pani mi ma gdy teraz dlaczego proszę dziękuję dzień dobry witam pozdrawiam poważaniem szanowni państwo zamówienie zamówienia zamówiłem zamówiłam faktura faktury dostawa otrzymałem otrzymałam
			nadal tydzień tygodni tygodnie wczoraj dzisiaj dziś jutro pieniądze konto problem gdzie jaki jaka jakie mój moja moje nasz wasz państwa chciałbym chciałabym mogę można proszę prosze oraz lub albo
			jednak ponieważ więc także też które która przed pod nad bez przy dni dnia została został nic kto którym
			każdy człowiek wszystkie swoje między będzie będą którą inne inny pierwszy dwa trzy chcę mogę nie paczka paczkę przesyłka przesyłki dotarła dotarł zapłaciłem zapłaciłam reklamacja
			zwrot wysłać odpowiedź czekam numer adres rozmiar`,
			`ość ości anie enie ego emu ych ymi ach ów łem łam`},
		{"cs", `a se v na je že to s z do o i ve jsem ale si k po za jak by tak který pro co jako od až jsou nebo být jen která jeho u této před už když ze které při mezi můžete prosím děkuji děkuju dobrý den
			pozdravem objednávka objednávku objednal objednala faktura faktury dodání obdržel obdržela stále ještě týden týdny včera dnes zítra peníze zpět účet problém kde proč kdy jsme jste není nejsou
			bych byste chtěl chtěla potřebuji mám máme máte mi mě mne vás vám nás nám můj moje bylo byl byla nic nikdo protože také pouze další dne dnů dní tento tuto tato jestli zda však bez ani
			každý všechny všechna všech svou svého bude budou kterou jiné jiný první dvě dva tři chci nemohu můžu zboží balík zásilka zásilku dorazil dorazila nedorazil nedorazila zaplatil
			zaplatila objednávky reklamace vrácení vrátit poslat poslali předem odpověď ohledně zatím ten ta té má na`,
			`ost osti ání ení ého ému ých ými ího ímu ách ův ovat ství`},
		{"sk", `a sa v na je že to s z do o i vo som ale si k po za ako by tak ktorý pre čo od až sú alebo byť len ktorá jeho u tejto pred už keď zo ktoré pri medzi môžete prosím ďakujem dobrý deň pozdravom
			objednávka objednávku objednal objednala faktúra faktúry dodanie dostal dostala stále ešte týždeň týždne včera dnes zajtra peniaze späť účet problém kde prečo kedy sme ste nie nemám
			chcel chcela potrebujem mám máme máte mi ma mňa vás vám nás nám môj moje bolo bol bola nič nikto pretože tiež iba ďalší dňa dní tento túto táto či však bez ani veľmi
			každý všetky všetkých svoju svojho bude budú ktorú iné iný prvý dve dva tri chcem nemôžem môžem tovar balík zásielka zásielku dorazil dorazila prišiel prišla neprišiel neprišla
			zaplatil zaplatila objednávky reklamácia vrátenie vrátiť poslať poslali vopred odpoveď ohľadom zatiaľ ten tá tú má na`,
			`osť osti anie enie ého ému ých ými ieho iemu ách ov ovať ať iť eť stvo`},
		{"hu", `a az és hogy nem is egy ez meg van csak mert azt ha már volt még el be ki fel le le úgy mint de kell lehet vagy azonban ezt olyan ami aki amely nagyon minden szerint után előtt között én te mi ti
			ők engem nekem önök önöknek köszönöm köszönet kérem kérném szeretnék szeretném üdvözlettel tisztelt tisztelettel jó napot szia rendelés rendelésem rendeltem számla szállítás megkaptam kaptam
			eddig hét hete tegnap ma holnap pénz vissza számlám probléma miért mikor hol hogyan vagyok vannak volna lenne nincs sem semmi tudom tudják tudnak kapcsolatban ezért így most itt ott
			napja napon kaptunk még mindig csomag csomagot vele neki`,
			`ban ben nak nek val vel ról ről ból ből hoz hez tól től ság ség unk tek eket`},
		{"ro", `de și în a la cu nu o un pe că din să mai care este ce sunt am pentru se au fi dar ca ai ar el ea ei lor lui sau prin fost după dacă când foarte până acest această acesta aceste cum unde asta
			vă rog mulțumesc bună ziua salut cu stimă comanda comandă comandat factura factură livrare livrarea primit încă săptămână săptămâni ieri azi astăzi mâine bani banii înapoi cont contul problemă
			problema nimic nicio niciun de ce aș dori vreau putea puteți poate meu mea mei mele noastră dumneavoastră îmi fiind fără între spre doar acum deja zile zi iar nici le ne
			orice toate persoană dreptul are avea coletul colet pachet produs produsul greșit stricat returnez retur rambursare plătit achitat aștept răspuns număr adresa mărime ajuns`,
			`ție ții ului elor ilor ează ând esc ește ător are ate`},
		{"tr", `ve bir bu da de için ile ne çok o gibi daha olarak ama kadar en var değil mi ben sonra olan ya her şey ki ise diye bana beni sen biz siz onlar bunu şu nasıl neden zaman hiç yok önce mu mı mü
			lütfen teşekkür teşekkürler ederim merhaba iyi günler sayın saygılarımla sipariş siparişim siparişimi fatura teslimat aldım almadım hala hâlâ hafta gün dün bugün yarın para paramı geri hesap hesabım
			sorun nerede istiyorum rica size bize sizin benim bizim olduğu oldu olur olmadı edildi ettim ediyorum verdim kargo ürün ulaşmadı gelmedi henüz fakat veya hem yardımcı misiniz mısınız
			etmek yapmak gerek lazım tarafından ancak bile böyle şöyle herhangi kimse bazı tüm bütün ilk son iki üç kez şimdi tarih tarihinde numaralı numara paket paketim iade değişim ödeme
			ödedim kartı kredi ulaştı geldi bozuk yanlış eksik beden renk adres adresi adresim mesaj cevap yanıt bekliyorum insan`,
			`lar ler mak mek yor yorum dan den nın nin lık lik ıyor iniz ınız dım dim mış miş ından inden ların lerin ması mesi arak erek`},
		{"vi", `và của là có được cho không các một trong người những với này để đã khi từ về như tôi ra đến cũng vào nhiều năm theo tại ở sẽ bị nhưng đó hay còn lại thì mà phải trên làm rất nếu chúng bạn
			mình anh chị em ông bà xin chào cảm ơn trân trọng kính gửi đơn hàng hóa giao nhận chưa vẫn tuần ngày hôm qua nay mai tiền hoàn tài khoản vấn đề sao đâu nào gì tôi vui lòng giúp muốn cần hỏi
			biết sản phẩm quý công ty ạ nhé rồi hai ba thể việc thế`, ``},
		{"id", `yang dan di dari untuk pada ini dengan itu tidak dalam adalah saya akan ke ada juga oleh sudah dapat kami kita bisa telah atau karena anda mereka lebih sebagai belum masih agar jika seperti
			sebuah hanya harus tersebut tahun hari minggu kemarin besok terima kasih selamat pagi siang sore halo salam hormat mohon tolong pesanan pesan barang faktur pengiriman kirim dikirim menerima terima
			uang kembali akun masalah kapan mengapa kenapa bagaimana dimana mana apa apakah ingin mau sampai sejak lalu lagi baru namun tetapi serta para sangat setelah sebelum tanpa nomor bantu bantuan
			setiap orang berhak atas hak baik tanggal alamat ukuran salah rusak paket barangnya sampai tiba bayar membayar pembayaran balasan tunggu menunggu`,
			`kan nya lah annya ikan inya kannya akan`},
		// These are not asked for as a rule, but texts in them would be taken for their neighbours.
		{"ca", `el la els les de que i a en un una per amb no és del al dels als com més però si ho hi ha he ens us meva meu nostra vostra també molt quan perquè on gràcies hola bon dia salutacions comanda
			factura lliurament rebut encara setmana ahir avui demà diners compte problema cap res mai aquest aquesta aquests són està estan tinc vull voldria podeu si us plau des fins sense abans després`,
			`ció cions ment itat ats ades`},
		{"hr", `i u je se na da za od su s o a ne što ili kao ali iz nije sam koji koja koje bi već te samo još smo ste biti bio bila bilo može mogu moj moja moje vaš vaša hvala molim poštovani poštovanje
			pozdrav lijep srdačan dobar dan narudžba narudžbu naručio naručila račun dostava primio primila tjedan tjedna jučer danas sutra novac natrag problem gdje zašto kada kako ništa nitko jer također
			prije poslije bez dana mi me nas vas nam vam ovo to taj ova`,
			`anje enje ost osti ima ama nost`},
		{"sl", `in je v se na da za so s z o pa ne ki ali kot od po tudi iz bi še sem smo ste biti bil bila bilo lahko moj moja moje vaš vaša hvala prosim spoštovani pozdrav lep dober dan naročilo naročil
			naročila račun dostava prejel prejela teden tedna včeraj danes jutri denar nazaj problem kje zakaj kdaj kako nič nihče ker pred brez dni mi me nas vas nam vam to ta kaj ni kakor`,
			`anje enje ost osti ega emu ih imi`},
		{"et", `ja on ei et see ta oli ma kui ning ka aga mis seda oma kes või siis veel nii välja mina meie teie minu teil mul tere aitäh tänan lugupidamisega tellimus tellimuse tellisin arve tarne saanud
			nädal nädalat eile täna homme raha tagasi konto probleem miks millal kus kuidas soovin palun ole olen pole olete saab saan päeva juba ainult kõik enne pärast ilma kuni`,
			`use st le ks ga ma da tud nud mine`},
		{"lt", `ir yra kad į su ne iš tai bet kaip o už buvo jis jau dar tik nuo pagal man mano aš jūs jūsų mes mūsų ar prašau ačiū sveiki laba diena pagarbiai užsakymas užsakymą užsakiau sąskaita pristatymas
			gavau savaitė savaitę savaites vakar šiandien rytoj pinigai pinigus problema kodėl kada kur noriu norėčiau nėra esu esate turiu gali galite iki be po per kuris kuri labai dėl`,
			`as us is ių ui oje yje uose iau ti tas`},
		{"lv", `un ir ka uz ar no nav par tas bet kā es arī tikai jau vēl to bija viņš jūs jūsu mēs mūsu man mans lūdzu paldies labdien sveiki cieņu pasūtījums pasūtījumu pasūtīju rēķins piegāde saņēmu nedēļa
			nedēļas vakar šodien rīt nauda naudu problēma kāpēc kad kur vēlos gribu esmu esat varat var līdz bez pēc pirms kas ļoti vai`,
			`šana šanas ums umu iem ām ajā ies`},
	}
}

// cyrillicLists are the languages with Cyrillic letters.
func cyrillicLists() []list {
	return []list{
		{"ru", `и в не на я что тот быть с он а это как этот по к но они мы она который из у свой за вы весь для от так мочь все ты же год один если только или ещё еще бы мне меня мой моя мое вас вам ваш ваша
			нас нам наш был была было были есть нет да уже до при без во со когда где почему как здравствуйте добрый день спасибо пожалуйста уважением уважаемые заказ заказа заказал заказала счёт счет доставка
			получил получила получен неделю недели вчера сегодня завтра деньги возврат проблема очень можно могу хочу хотел прошу подскажите товар ничего чтобы того этого
			имеет каждый человек право все его её их сколько какой какая какие сейчас тоже также после перед через между вместо номер посылка посылку пришел пришёл пришла пришло работает сломан
			вернуть отправили отправить ответ ответа жду оплатил оплатила карту адрес размер`,
			`ость ости ение ения ого его ому ться тся ый ий ая ые ть ли ются ется ами ями ует`},
		{"uk", `і в не на я що з та до у це як за він про від ми ви вона але й або так його для по ще якщо вже щоб мені мене мій моя вас вам ваш ваша нас нам наш був була було були є немає коли де чому доброго
			дня вітаю дякую будь ласка повагою шановні замовлення замовив замовила рахунок доставка отримав отримала тиждень тижні вчора сьогодні завтра гроші повернення проблема дуже можна можу хочу прошу
			товар нічого цього тільки також який яка які чи при без під через
			має кожна людина право всі його її їх скільки який зараз теж після перед через між замість номер посилка посилку прийшла прийшов працює зламаний повернути відправили відповідь чекаю
			оплатив оплатила адреса розмір`,
			`ість ості ення ого ому ться ний ній ти ли ів`},
		{"bg", `и на да се не за от в с е че по са като но аз ми си до това ще как при или ли има го ги ни вие вас ви ваш ваша нас нашия бях беше бяха няма кога къде защо здравейте добър ден благодаря моля
			уважение уважаеми поръчка поръчката поръчах фактура доставка получих получил още седмица седмици вчера днес утре пари парите връщане проблем много мога може искам бих желал продукт нищо тази този
			тези който която които без през след преди само съм сте сме вече
			всеки човек право има всички неговите колко какъв сега също между номер пратка пратката пристигна пристигнала работи счупен върна изпратихте отговор чакам платих адрес размер`,
			`ът ят ата ето ите ност ване ване ихте ал`},
		{"sr", `и у је се на да за од су с о а не што или као али из није сам који која које би већ само још смо сте бити био била било може могу мој моја моје ваш ваша хвала молим поштовани поздрав добар дан
			поруџбина рачун достава примио недеља јуче данас сутра новац назад проблем где зашто када како ништа јер пре после без дана ме нас вас нам вам ово то`,
			`ање ење ост ости има ама`},
	}
}

// arabicLists are the languages with Arabic letters.
func arabicLists() []list {
	return []list{
		{"ar", `في من على إلى الى أن ان هذا هذه التي الذي عن مع لا ما كان قد لم هل أو و كل بعد قبل أنا انا نحن لي لكم منكم لكن حتى حيث بين عند غير كما ثم لقد يرجى شكرا شكراً مرحبا السلام عليكم تحية طيبة وبعد
			طلبي الطلب طلب الفاتورة التوصيل استلمت أستلم أسبوع أسبوعين أمس اليوم غدا المال حسابي مشكلة لماذا متى أين كيف أريد أرجو منذ يوم أيام رقم ولم وقد لدي`,
			`ون ين ات ها كم نا`},
		{"fa", `و در به از که این را با است برای آن یک تا بر من هم شما ما خود می شد هر بود ولی اما یا اگر کرد شده ام های هنوز سلام لطفا لطفاً ممنون متشکرم تشکر احترام سفارش سفارشم فاکتور تحویل دریافت هفته دیروز
			امروز فردا پول حساب مشکل چرا چه کی کجا چطور نکرده کردهام کردم نشده است نیست دارم ندارم خواهشمند روز شماره بسیار خیلی باید کنید کنم`,
			`های ها ای ام اند`},
		{"ur", `کے کی میں ہے اور سے کا کو پر نے کہ یہ ہیں ایک بھی لیے ہو تھا نہیں وہ تو کر مجھے میرا میری آپ ہم شکریہ براہ کرم سلام آرڈر ابھی تک ہفتے کل آج رقم مسئلہ کیوں کب کہاں`, `وں یں`},
	}
}

// plain takes the accents off a word, as many people write who have no such keys.
func plain(word string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case 'à', 'á', 'â', 'ã', 'ä', 'å', 'ā', 'ă', 'ą':
			return 'a'
		case 'ç', 'ć', 'č':
			return 'c'
		case 'ď', 'đ':
			return 'd'
		case 'è', 'é', 'ê', 'ë', 'ē', 'ę', 'ě', 'ė':
			return 'e'
		case 'ğ', 'ģ':
			return 'g'
		case 'ì', 'í', 'î', 'ï', 'ī', 'ı', 'į':
			return 'i'
		case 'ķ':
			return 'k'
		case 'ĺ', 'ľ', 'ł', 'ļ':
			return 'l'
		case 'ñ', 'ń', 'ň', 'ņ':
			return 'n'
		case 'ò', 'ó', 'ô', 'õ', 'ö', 'ő', 'ø':
			return 'o'
		case 'ŕ', 'ř':
			return 'r'
		case 'ś', 'š', 'ş', 'ș':
			return 's'
		case 'ť', 'ţ', 'ț':
			return 't'
		case 'ù', 'ú', 'û', 'ü', 'ů', 'ű', 'ū', 'ų':
			return 'u'
		case 'ý':
			return 'y'
		case 'ź', 'ż', 'ž':
			return 'z'
		}
		return r
	}, word)
}
