package calendar

import "strings"

// windowsZone gives the IANA name of a time zone that Windows knows by another name; empty if there is none. Outlook
// also writes the name that people see in its settings, "(UTC+01:00) Amsterdam, Berlin, …", where the offset and the
// first town say enough, and puts a number behind a name that a calendar has twice.
func windowsZone(name string) string {
	name = strings.ToLower(strings.Join(strings.Fields(name), " "))
	if iana := windowsZones(name); iana != "" {
		return iana
	}
	if i := strings.LastIndexByte(name, ' '); i > 0 && strings.Trim(name[i+1:], "0123456789") == "" {
		if iana := windowsZones(name[:i]); iana != "" {
			return iana
		}
	}
	_, places, found := strings.Cut(name, ") ")
	if !found || !strings.HasPrefix(name, "(utc") && !strings.HasPrefix(name, "(gmt") {
		return ""
	}
	place, _, _ := strings.Cut(places, ",")
	place, _, _ = strings.Cut(place, " (")
	return townZones(place)
}

// windowsZones is the table windowsZones of Unicode CLDR 48, territory 001.
func windowsZones(name string) string {
	switch name {
	case "egypt standard time":
		return "Africa/Cairo"
	case "morocco standard time":
		return "Africa/Casablanca"
	case "south africa standard time":
		return "Africa/Johannesburg"
	case "south sudan standard time":
		return "Africa/Juba"
	case "sudan standard time":
		return "Africa/Khartoum"
	case "w. central africa standard time":
		return "Africa/Lagos"
	case "e. africa standard time":
		return "Africa/Nairobi"
	case "sao tome standard time":
		return "Africa/Sao_Tome"
	case "libya standard time":
		return "Africa/Tripoli"
	case "namibia standard time":
		return "Africa/Windhoek"
	case "aleutian standard time":
		return "America/Adak"
	case "alaskan standard time":
		return "America/Anchorage"
	case "tocantins standard time":
		return "America/Araguaina"
	case "paraguay standard time":
		return "America/Asuncion"
	case "bahia standard time":
		return "America/Bahia"
	case "sa pacific standard time":
		return "America/Bogota"
	case "argentina standard time":
		return "America/Buenos_Aires"
	case "eastern standard time (mexico)":
		return "America/Cancun"
	case "venezuela standard time":
		return "America/Caracas"
	case "sa eastern standard time":
		return "America/Cayenne"
	case "central standard time":
		return "America/Chicago"
	case "central brazilian standard time":
		return "America/Cuiaba"
	case "mountain standard time":
		return "America/Denver"
	case "greenland standard time":
		return "America/Godthab"
	case "turks and caicos standard time":
		return "America/Grand_Turk"
	case "central america standard time":
		return "America/Guatemala"
	case "atlantic standard time":
		return "America/Halifax"
	case "cuba standard time":
		return "America/Havana"
	case "us eastern standard time":
		return "America/Indianapolis"
	case "sa western standard time":
		return "America/La_Paz"
	case "pacific standard time":
		return "America/Los_Angeles"
	case "mountain standard time (mexico)":
		return "America/Mazatlan"
	case "central standard time (mexico)":
		return "America/Mexico_City"
	case "saint pierre standard time":
		return "America/Miquelon"
	case "montevideo standard time":
		return "America/Montevideo"
	case "eastern standard time":
		return "America/New_York"
	case "us mountain standard time":
		return "America/Phoenix"
	case "haiti standard time":
		return "America/Port-au-Prince"
	case "magallanes standard time":
		return "America/Punta_Arenas"
	case "canada central standard time":
		return "America/Regina"
	case "pacific sa standard time":
		return "America/Santiago"
	case "e. south america standard time":
		return "America/Sao_Paulo"
	case "newfoundland standard time":
		return "America/St_Johns"
	case "pacific standard time (mexico)":
		return "America/Tijuana"
	case "yukon standard time":
		return "America/Whitehorse"
	case "jordan standard time":
		return "Asia/Amman"
	case "arabic standard time":
		return "Asia/Baghdad"
	case "azerbaijan standard time":
		return "Asia/Baku"
	case "se asia standard time":
		return "Asia/Bangkok"
	case "altai standard time":
		return "Asia/Barnaul"
	case "middle east standard time":
		return "Asia/Beirut"
	case "central asia standard time":
		return "Asia/Bishkek"
	case "india standard time":
		return "Asia/Calcutta"
	case "transbaikal standard time":
		return "Asia/Chita"
	case "sri lanka standard time":
		return "Asia/Colombo"
	case "syria standard time":
		return "Asia/Damascus"
	case "bangladesh standard time":
		return "Asia/Dhaka"
	case "arabian standard time":
		return "Asia/Dubai"
	case "west bank standard time":
		return "Asia/Hebron"
	case "w. mongolia standard time":
		return "Asia/Hovd"
	case "north asia east standard time":
		return "Asia/Irkutsk"
	case "israel standard time":
		return "Asia/Jerusalem"
	case "afghanistan standard time":
		return "Asia/Kabul"
	case "russia time zone 11":
		return "Asia/Kamchatka"
	case "pakistan standard time":
		return "Asia/Karachi"
	case "nepal standard time":
		return "Asia/Katmandu"
	case "north asia standard time":
		return "Asia/Krasnoyarsk"
	case "magadan standard time":
		return "Asia/Magadan"
	case "n. central asia standard time":
		return "Asia/Novosibirsk"
	case "omsk standard time":
		return "Asia/Omsk"
	case "north korea standard time":
		return "Asia/Pyongyang"
	case "qyzylorda standard time":
		return "Asia/Qyzylorda"
	case "myanmar standard time":
		return "Asia/Rangoon"
	case "arab standard time":
		return "Asia/Riyadh"
	case "sakhalin standard time":
		return "Asia/Sakhalin"
	case "korea standard time":
		return "Asia/Seoul"
	case "china standard time":
		return "Asia/Shanghai"
	case "singapore standard time":
		return "Asia/Singapore"
	case "russia time zone 10":
		return "Asia/Srednekolymsk"
	case "taipei standard time":
		return "Asia/Taipei"
	case "west asia standard time":
		return "Asia/Tashkent"
	case "georgian standard time":
		return "Asia/Tbilisi"
	case "iran standard time":
		return "Asia/Tehran"
	case "tokyo standard time":
		return "Asia/Tokyo"
	case "tomsk standard time":
		return "Asia/Tomsk"
	case "ulaanbaatar standard time":
		return "Asia/Ulaanbaatar"
	case "vladivostok standard time":
		return "Asia/Vladivostok"
	case "yakutsk standard time":
		return "Asia/Yakutsk"
	case "ekaterinburg standard time":
		return "Asia/Yekaterinburg"
	case "caucasus standard time":
		return "Asia/Yerevan"
	case "azores standard time":
		return "Atlantic/Azores"
	case "cape verde standard time":
		return "Atlantic/Cape_Verde"
	case "greenwich standard time":
		return "Atlantic/Reykjavik"
	case "cen. australia standard time":
		return "Australia/Adelaide"
	case "e. australia standard time":
		return "Australia/Brisbane"
	case "aus central standard time":
		return "Australia/Darwin"
	case "aus central w. standard time":
		return "Australia/Eucla"
	case "tasmania standard time":
		return "Australia/Hobart"
	case "lord howe standard time":
		return "Australia/Lord_Howe"
	case "w. australia standard time":
		return "Australia/Perth"
	case "aus eastern standard time":
		return "Australia/Sydney"
	case "utc-11":
		return "Etc/GMT+11"
	case "dateline standard time":
		return "Etc/GMT+12"
	case "utc-02":
		return "Etc/GMT+2"
	case "utc-08":
		return "Etc/GMT+8"
	case "utc-09":
		return "Etc/GMT+9"
	case "utc+12":
		return "Etc/GMT-12"
	case "utc+13":
		return "Etc/GMT-13"
	case "utc":
		return "Etc/UTC"
	case "astrakhan standard time":
		return "Europe/Astrakhan"
	case "w. europe standard time":
		return "Europe/Berlin"
	case "gtb standard time":
		return "Europe/Bucharest"
	case "central europe standard time":
		return "Europe/Budapest"
	case "e. europe standard time":
		return "Europe/Chisinau"
	case "turkey standard time":
		return "Europe/Istanbul"
	case "kaliningrad standard time":
		return "Europe/Kaliningrad"
	case "fle standard time":
		return "Europe/Kiev"
	case "gmt standard time":
		return "Europe/London"
	case "belarus standard time":
		return "Europe/Minsk"
	case "russian standard time":
		return "Europe/Moscow"
	case "romance standard time":
		return "Europe/Paris"
	case "russia time zone 3":
		return "Europe/Samara"
	case "saratov standard time":
		return "Europe/Saratov"
	case "volgograd standard time":
		return "Europe/Volgograd"
	case "central european standard time":
		return "Europe/Warsaw"
	case "mauritius standard time":
		return "Indian/Mauritius"
	case "samoa standard time":
		return "Pacific/Apia"
	case "new zealand standard time":
		return "Pacific/Auckland"
	case "bougainville standard time":
		return "Pacific/Bougainville"
	case "chatham islands standard time":
		return "Pacific/Chatham"
	case "easter island standard time":
		return "Pacific/Easter"
	case "fiji standard time":
		return "Pacific/Fiji"
	case "central pacific standard time":
		return "Pacific/Guadalcanal"
	case "hawaiian standard time":
		return "Pacific/Honolulu"
	case "line islands standard time":
		return "Pacific/Kiritimati"
	case "marquesas standard time":
		return "Pacific/Marquesas"
	case "norfolk standard time":
		return "Pacific/Norfolk"
	case "west pacific standard time":
		return "Pacific/Port_Moresby"
	case "tonga standard time":
		return "Pacific/Tongatapu"
	}
	return ""
}

// townZones finds a zone by the first place in the name that Windows shows.
func townZones(place string) string {
	switch place {
	case "amsterdam", "berlin", "bern", "rome", "stockholm", "vienna":
		return "Europe/Berlin"
	case "brussels", "copenhagen", "madrid", "paris":
		return "Europe/Paris"
	case "belgrade", "bratislava", "budapest", "ljubljana", "prague":
		return "Europe/Budapest"
	case "sarajevo", "skopje", "warsaw", "zagreb":
		return "Europe/Warsaw"
	case "dublin", "edinburgh", "lisbon", "london":
		return "Europe/London"
	case "athens", "bucharest":
		return "Europe/Bucharest"
	case "helsinki", "kyiv", "riga", "sofia", "tallinn", "vilnius":
		return "Europe/Kyiv"
	case "istanbul":
		return "Europe/Istanbul"
	case "moscow", "moscow, st. petersburg":
		return "Europe/Moscow"
	case "jerusalem":
		return "Asia/Jerusalem"
	case "cairo":
		return "Africa/Cairo"
	case "harare", "pretoria":
		return "Africa/Johannesburg"
	case "abu dhabi", "muscat":
		return "Asia/Dubai"
	case "chennai", "kolkata", "mumbai", "new delhi":
		return "Asia/Kolkata"
	case "bangkok", "hanoi", "jakarta":
		return "Asia/Bangkok"
	case "beijing", "chongqing", "hong kong", "urumqi":
		return "Asia/Shanghai"
	case "kuala lumpur", "singapore":
		return "Asia/Singapore"
	case "osaka", "sapporo", "tokyo":
		return "Asia/Tokyo"
	case "seoul":
		return "Asia/Seoul"
	case "canberra", "melbourne", "sydney":
		return "Australia/Sydney"
	case "brisbane":
		return "Australia/Brisbane"
	case "perth":
		return "Australia/Perth"
	case "auckland", "wellington":
		return "Pacific/Auckland"
	case "eastern time":
		return "America/New_York"
	case "central time":
		return "America/Chicago"
	case "mountain time":
		return "America/Denver"
	case "arizona":
		return "America/Phoenix"
	case "pacific time":
		return "America/Los_Angeles"
	case "alaska":
		return "America/Anchorage"
	case "hawaii":
		return "Pacific/Honolulu"
	case "atlantic time":
		return "America/Halifax"
	case "brasilia":
		return "America/Sao_Paulo"
	case "city of buenos aires", "buenos aires":
		return "America/Argentina/Buenos_Aires"
	case "bogota", "lima", "quito", "rio branco":
		return "America/Bogota"
	case "guadalajara", "mexico city", "monterrey":
		return "America/Mexico_City"
	case "coordinated universal time":
		return "Etc/UTC"
	}
	return ""
}
